/*  http_events.c - what a request for the stream of events wishes for: topics, logs, and where it goes on. */
#include "head/http_events.h"

#include <stdlib.h>
#include "head/feed.h"
#include "head/http.h"
#include "head/ray_job.h"

static bool refuse(struct web_reply *reply, int code, const char *what, struct slice word)
{
    web_reply_error(reply, code, "%s: %.*s", what, (int)(word.n < 200 ? word.n : 200),
                    (const char *)word.p);
    return false;
}

/*  Number of the job that `text` means, as submission id or job id; 0: none that the bearer sees. */
static uint64_t find_job(const struct web_request *request, struct slice text)
{
    const struct ray_reader reader = { http_db(request), http_log_files(request),
                                       http_owner(request) };
    struct ray_job job;
    return ray_job_find(&reader, text, &job) == OK ? job.number : 0;
}

/*  log:JOB, from its end on unless Last-Event-ID says otherwise. */
static bool read_log(const struct web_request *request, struct slice job, struct feed_wish *out,
                     struct web_reply *reply)
{
    const struct log_name name = { .job = find_job(request, job) };
    if (name.job == 0) {
        return refuse(reply, ERR_NOT_FOUND, "topics: there is no such job", job);
    }
    for (uint32_t i = 0; i < out->log_count; i++) {
        if (out->logs[i].job == name.job) {
            return true;
        }
    }
    if (out->log_count == FEED_LOGS_MAX) {
        return refuse(reply, ERR_INVALID, "topics: 16 logs at most; one too many is", job);
    }
    out->logs[out->log_count++] =
        (struct feed_log){ name.job, log_end(http_log_files(request), &name) };
    return true;
}

static bool read_topic(const struct web_request *request, struct slice word, struct feed_wish *out,
                       struct web_reply *reply)
{
    static const struct {
        const char *word;
        uint32_t topic;
    } words[] = { { "jobs", TOPIC_JOBS },
                  { "tasks", TOPIC_TASKS },
                  { "nodes", TOPIC_NODES },
                  { "progress", TOPIC_PROGRESS } };
    for (size_t i = 0; i < COUNT(words); i++) {
        if (slice_same(slice_text(words[i].word), word)) {
            out->topics |= words[i].topic;
            return true;
        }
    }
    if (word.n > 4 && memcmp(word.p, "log:", 4) == 0) {
        return read_log(request, slice_of(word.p + 4, word.n - 4), out, reply);
    }
    return refuse(reply, ERR_INVALID,
                  "topics: a list of jobs, tasks, nodes, progress, log:JOB, with commas between;"
                  " none of them is",
                  word);
}

static bool read_topics(const struct web_request *request, struct feed_wish *out,
                        struct web_reply *reply)
{
    const char *text = web_query(request, "topics");
    if (!text) {
        out->topics = TOPICS_EVENTS;
        return true;
    }
    for (;;) {
        size_t n = strcspn(text, ",");
        if (!read_topic(request, slice_of(text, n), out, reply)) {
            return false;
        }
        if (text[n] == 0) {
            return true;
        }
        text += n + 1;
    }
}

/*  Digits only, fewer than 19 of them; *text is behind them. */
static bool read_number(const char **text, uint64_t *out)
{
    size_t n = strspn(*text, "0123456789");
    *out = strtoull(*text, NULL, 10);
    *text += n;
    return n > 0 && n < 19;
}

/*  Where it goes on: EVENT;JOB=OFFSET;...  False: `text` does not say. */
static bool read_after(const char *text, struct feed_wish *out)
{
    bool good = read_number(&text, &out->after);
    while (good && *text == ';') {
        uint64_t job = 0, offset = 0;
        text++;
        good = read_number(&text, &job) && *text == '=';
        text += good;
        good = good && read_number(&text, &offset);
        for (uint32_t i = 0; good && i < out->log_count; i++) {
            if (out->logs[i].job == job) {
                out->logs[i].offset = offset;
            }
        }
    }
    return good && *text == 0;
}

void http_events_stream(struct web_request *request, struct web_reply *reply)
{
    const char *after = web_header(request, "Last-Event-ID");
    struct feed_wish wish = { .owner = http_owner(request),
                              .token = request->who.token,
                              .fresh = after == NULL };
    if (!read_topics(request, &wish, reply)) {
        return;
    }
    if (after && !read_after(after, &wish)) {
        (void)refuse(reply, ERR_INVALID, "Last-Event-ID is not EVENT;JOB=OFFSET;...",
                     slice_text(after));
        return;
    }
    feed_listen(http_feed(request), &wish, reply);
}
