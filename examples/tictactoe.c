/*  tictactoe.c - learns tic-tac-toe by Q-learning, from games against an opponent that moves at random.

        rayc tune --space examples/tictactoe.yaml    searches for good parameters of the learner
        tictactoe 20000                              learns from 20000 games with the defaults, without a cluster

    A table has a value for each board and move: 1 is a sure win, 0.5 a draw, 0 a loss.  The learner begins every other
    game.  After each round of 1000 games it plays 1000 more at its best, and reports how they ended; the table is the
    checkpoint.  All chance comes from the trial's seed and the round, so that the same trial always learns the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <rayc.h>

enum { CELLS = 9, BOARDS = 19683, ROUND = 1000, ROUNDS = 50 };
enum { NO_MEMORY = 10, NO_CHECKPOINT, NO_REPORT }; /* codes of a trial that fails */
enum { NOBODY = 0, LEARNER = 1, OPPONENT = 2, DRAW = 3 };

struct learner {
    double alpha, gamma, epsilon;
    uint64_t chance; /* state of the generator */
    float (*value)[CELLS];
};

struct rates {
    double win, draw, loss;
};

/* --- chance (SplitMix64) ---------------------------------------------------------------------- */

static uint64_t next(struct learner *self)
{
    uint64_t z = self->chance += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static double chance(struct learner *self)
{
    return (double)(next(self) >> 11) * 0x1p-53;
}

/* --- the game --------------------------------------------------------------------------------- */

static int board_number(const int *cells)
{
    int number = 0;
    for (int i = 0; i < CELLS; i++) {
        number = number * 3 + cells[i];
    }
    return number;
}

/*  Who has three in a row; DRAW: the board is full; NOBODY: the game goes on. */
static int winner(const int *cells)
{
    static const int rows[8][3] = { { 0, 1, 2 }, { 3, 4, 5 }, { 6, 7, 8 }, { 0, 3, 6 },
                                    { 1, 4, 7 }, { 2, 5, 8 }, { 0, 4, 8 }, { 2, 4, 6 } };
    int empty = 0;
    for (int i = 0; i < 8; i++) {
        int first = cells[rows[i][0]];
        if (first && first == cells[rows[i][1]] && first == cells[rows[i][2]]) {
            return first;
        }
    }
    for (int i = 0; i < CELLS; i++) {
        empty += cells[i] == NOBODY;
    }
    return empty ? NOBODY : DRAW;
}

static int random_move(struct learner *self, const int *cells)
{
    int empty[CELLS];
    int n = 0;
    for (int i = 0; i < CELLS; i++) {
        if (cells[i] == NOBODY) {
            empty[n++] = i;
        }
    }
    return empty[next(self) % (uint64_t)n];
}

static int best_move(const struct learner *self, const int *cells)
{
    const float *value = self->value[board_number(cells)];
    int best = -1;
    for (int i = 0; i < CELLS; i++) {
        if (cells[i] == NOBODY && (best < 0 || value[i] > value[best])) {
            best = i;
        }
    }
    return best;
}

/* --- learning --------------------------------------------------------------------------------- */

static double reward(int won)
{
    return won == LEARNER ? 1 : won == DRAW ? 0.5 : 0;
}

/*  The value of `move` on `board` goes towards what it led to: the game's end, or the best of the next board. */
static void learn(struct learner *self, int board, int move, const int *after, int won)
{
    double target =
        won ? reward(won) : self->gamma * self->value[board_number(after)][best_move(self, after)];
    float *value = &self->value[board][move];
    *value += (float)(self->alpha * (target - *value));
}

/*  Plays one game and says how it ended. */
static int play(struct learner *self, int begins, int learning)
{
    int cells[CELLS] = { 0 };
    int won = NOBODY;
    if (begins == OPPONENT) {
        cells[random_move(self, cells)] = OPPONENT;
    }
    while (won == NOBODY) {
        int board = board_number(cells);
        int tries = learning && chance(self) < self->epsilon;
        int move = tries ? random_move(self, cells) : best_move(self, cells);
        cells[move] = LEARNER;
        won = winner(cells);
        if (won == NOBODY) {
            cells[random_move(self, cells)] = OPPONENT;
            won = winner(cells);
        }
        if (learning) {
            learn(self, board, move, cells, won);
        }
    }
    return won;
}

/*  One round of games to learn from, then one to measure. */
static struct rates play_round(struct learner *self, uint64_t seed, int round)
{
    self->chance = seed * 1000003 + (uint64_t)round;
    int ends[4] = { 0 };
    for (int game = 0; game < ROUND; game++) {
        play(self, game % 2 ? LEARNER : OPPONENT, 1);
    }
    for (int game = 0; game < ROUND; game++) {
        ends[play(self, game % 2 ? LEARNER : OPPONENT, 0)]++;
    }
    return (struct rates){ (double)ends[LEARNER] / ROUND, (double)ends[DRAW] / ROUND,
                           (double)ends[OPPONENT] / ROUND };
}

static int learner_init(struct learner *self, double hope)
{
    self->value = malloc(sizeof(*self->value) * BOARDS);
    for (int i = 0; self->value && i < BOARDS * CELLS; i++) {
        self->value[i / CELLS][i % CELLS] = (float)hope;
    }
    return self->value ? 0 : -1;
}

/* --- checkpoints ------------------------------------------------------------------------------ */

static FILE *table_file(const char *folder, const char *mode)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/table", folder);
    return fopen(path, mode);
}

static int load(struct learner *self, int *round, const char *folder)
{
    FILE *file = table_file(folder, "rb");
    if (!file) {
        return -1;
    }
    size_t n = fread(round, sizeof(*round), 1, file);
    n += fread(self->value, sizeof(*self->value), BOARDS, file);
    fclose(file);
    return n == 1 + BOARDS ? 0 : -1;
}

static int save(const struct learner *self, int round, const char *folder)
{
    FILE *file = folder ? table_file(folder, "wb") : NULL;
    if (!file) {
        return -1;
    }
    size_t n = fwrite(&round, sizeof(round), 1, file);
    n += fwrite(self->value, sizeof(*self->value), BOARDS, file);
    return fclose(file) == 0 && n == 1 + BOARDS ? 0 : -1;
}

/* --- a trial ---------------------------------------------------------------------------------- */

static uint64_t seed_of(rayc_task *task)
{
    const char *seed = strstr(rayc_trial_json(task), "\"seed\":");
    return seed ? strtoull(seed + strlen("\"seed\":"), NULL, 10) : 0;
}

static int report(rayc_task *task, const struct learner *learner, int round, struct rates rates)
{
    const char *folder = rayc_checkpoint_dir(task);
    if (save(learner, round, folder) < 0) {
        return rayc_fail(task, NO_CHECKPOINT, "the checkpoint cannot be written");
    }
    rayc_metric metrics[] = { { "episodes", round * ROUND },
                              { "score", rates.win + rates.draw / 2 },
                              { "win_rate", rates.win },
                              { "draw_rate", rates.draw },
                              { "loss_rate", rates.loss } };
    int answer = rayc_report(task, metrics, sizeof(metrics) / sizeof(metrics[0]), folder);
    return answer < 0 ? rayc_fail(task, NO_REPORT, "%s", rayc_error()->text) : answer;
}

RAYC_TASK(tictactoe, task)
{
    struct learner learner = { .alpha = rayc_param(task, "alpha"),
                               .gamma = rayc_param(task, "gamma"),
                               .epsilon = rayc_param(task, "epsilon") };
    if (learner_init(&learner, rayc_param(task, "hope")) < 0) {
        return rayc_fail(task, NO_MEMORY, "out of memory");
    }
    const char *from = rayc_checkpoint(task);
    uint64_t seed = seed_of(task);
    int round = 0;
    int answer = RAYC_GO_ON;
    if (from && load(&learner, &round, from) < 0) {
        answer = rayc_fail(task, NO_CHECKPOINT, "no table in %s", from);
    }
    while (answer == RAYC_GO_ON && round < ROUNDS) {
        struct rates rates = play_round(&learner, seed, round++);
        answer = report(task, &learner, round, rates);
        printf("%d games: wins %.3f, draws %.3f, losses %.3f\n", round * ROUND, rates.win,
               rates.draw, rates.loss);
    }
    free(learner.value);
    return answer == RAYC_STOP || answer == RAYC_PAUSE ? 0 : answer;
}

static int learn_alone(int episodes)
{
    struct learner learner = { .alpha = 0.2, .gamma = 0.95, .epsilon = 0.1 };
    if (learner_init(&learner, 0.5) < 0) {
        return 1;
    }
    for (int round = 0; round < episodes / ROUND; round++) {
        struct rates rates = play_round(&learner, 1, round);
        printf("%d games: wins %.3f, draws %.3f, losses %.3f\n", (round + 1) * ROUND, rates.win,
               rates.draw, rates.loss);
    }
    free(learner.value);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        return learn_alone(atoi(argv[1]));
    }
    if (rayc_init(NULL) < 0) { /* as the executor of a trial it does not return */
        fprintf(stderr, "tictactoe: %s\n", rayc_error()->text);
        return 125;
    }
    rayc_shutdown();
    puts("rayc tune --space examples/tictactoe.yaml, or tictactoe GAMES");
    return 0;
}
