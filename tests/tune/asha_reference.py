#!/usr/bin/env python3
"""Traces of ASHA by a reference of its own, for tests/unit/tune_asha_test.c.  Python's standard library only, but `ray`.

The reference is Algorithm 2 of Li et al. 2018 (arXiv:1810.05934), written from its pseudocode with dictionaries and a
sort per call; trials are random configurations of `lc_cnn`, a made-up learning curve on which fast starters fade, with
noise, on W workers in virtual time: one step takes one unit.

usage: asha_reference.py paper SEED ETA    the paper's algorithm, r 1, R 81, 30 R steps
       asha_reference.py ray SEED ETA      the decisions of Ray's AsyncHyperBandScheduler on the same curve, 10 R steps
       asha_reference.py points SEED N     N configurations, for rayc-sched-sim
       asha_reference.py check             the committed traces are what this program makes (not those of Ray)
A line of a trace is an arrival, "TRIAL STEP VALUE", and at a rung what followed: n: the worker took a new trial,
pI: it went on with trial I; of Ray: c: the trial continued, s: it was stopped."""
import heapq, math, os, random, sys

MASK = (1 << 64) - 1
R, WORKERS = 81, 4


def mix(z):  # SplitMix64
    z = (z + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def gauss(seed, trial, step):
    h = mix((seed * 1000003 + trial * 8191 + step) & MASK)
    return math.sqrt(-2 * math.log(1 - (h >> 11) * 2.0 ** -53)) * math.cos(2 * math.pi * (mix(h) >> 11) * 2.0 ** -53)


def random_point(rng):
    lr = math.exp(rng.uniform(math.log(1e-5), math.log(1.0)))
    width = min(max(int(round(math.exp(rng.uniform(math.log(15.5), math.log(256.5))))), 16), 256)
    drop = rng.uniform(0.0, 0.7)
    return lr, width, drop, math.exp(rng.uniform(math.log(1e-6), math.log(1e-2)))


def curve(point, step):
    lr, width, drop, decay = point
    l, w = math.log10(lr), math.log2(width)
    if l > -0.5:
        return 0.9
    end = (0.08 + 0.02 * (l + 2.5) ** 2 + 0.004 * (w - 7) ** 2 + 0.2 * (drop - 0.3) ** 2
           + 0.004 * (math.log10(decay) + 4) ** 2)
    beta = min(max(0.55 + 0.3 * (l + 2.5) - 0.04 * (w - 7), 0.1), 1.2)
    return end + (0.9 - end) * (1.0 + step) ** -beta


class World:
    """Virtual time.  Values are rounded, so that a trace says exactly what the reference saw."""

    def __init__(self, seed, steps):
        self.rng, self.seed, self.left = random.Random(seed * 7919 + 1), seed, steps
        self.points, self.queue, self.now = [], [], 0

    def new(self):
        self.points.append(random_point(self.rng))
        self.run(len(self.points) - 1, 1)

    def run(self, trial, step):
        heapq.heappush(self.queue, (self.now + 1, trial, step))

    def arrivals(self):
        while self.left:
            self.left -= 1
            self.now, trial, step = heapq.heappop(self.queue)
            yield trial, step, round(curve(self.points[trial], step) + 0.01 * gauss(self.seed, trial, step), 5)


def rungs(eta):
    out, at = [], 1
    while at < R:
        out.append(at)
        at *= eta
    return out


def paper(seed, eta):
    world, milestones = World(seed, 30 * R), rungs(eta)
    entries = [{} for _ in milestones]
    promoted = [set() for _ in milestones]
    step_of = {}

    def get_job():  # lines 13 to 19
        for k in reversed(range(len(milestones))):
            top = sorted(entries[k], key=lambda i: (entries[k][i], i))[:len(entries[k]) // eta]
            for i in top:
                if i not in promoted[k]:
                    promoted[k].add(i)
                    return i
        return None

    for _ in range(WORKERS):
        world.new()
    for trial, step, value in world.arrivals():
        line, step_of[trial] = "%d %d %.5f" % (trial, step, value), step
        if step not in milestones and step < R:
            world.run(trial, step + 1)
            print(line)
            continue
        if step < R:
            entries[milestones.index(step)][trial] = value
        job = get_job()
        if job is None:
            world.new()
        else:
            world.run(job, step_of[job] + 1)
        print(line, "n" if job is None else "p%d" % job)


def ray(seed, eta):
    import logging
    import types
    import numpy
    from ray.tune.schedulers import AsyncHyperBandScheduler
    logging.disable(logging.CRITICAL)
    numpy.random.seed(seed)
    scheduler = AsyncHyperBandScheduler(time_attr="t", metric="y", mode="min", max_t=R, grace_period=1,
                                        reduction_factor=eta, brackets=1)
    world, trials = World(seed, 10 * R), {}

    def new():
        trial = types.SimpleNamespace(trial_id=str(len(world.points)))
        trials[len(world.points)] = trial
        scheduler.on_trial_add(None, trial)
        world.new()

    for _ in range(WORKERS):
        new()
    for trial, step, value in world.arrivals():
        stop = scheduler.on_trial_result(None, trials[trial], {"t": step, "y": value}) == "STOP"
        print("%d %d %.5f %s" % (trial, step, value, "s" if stop else "c"))
        if stop:
            new()
        else:
            world.run(trial, step + 1)


def check():
    import contextlib
    import io
    here = os.path.dirname(os.path.abspath(__file__))
    for seed, eta in (0, 3), (1, 3), (2, 4):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            paper(seed, eta)
        with open(os.path.join(here, "asha_trace_%d.txt" % seed)) as file:
            if file.read() != out.getvalue():
                sys.exit("asha_trace_%d.txt differs" % seed)


def main():
    words = sys.argv[1:]
    if words[:1] == ["paper"] and len(words) == 3:
        paper(int(words[1]), int(words[2]))
    elif words[:1] == ["ray"] and len(words) == 3:
        ray(int(words[1]), int(words[2]))
    elif words[:1] == ["points"] and len(words) == 3:
        rng = random.Random(int(words[1]) * 7919 + 1)
        for _ in range(int(words[2])):
            print("%.17g %d %.17g %.17g" % random_point(rng))
    elif words == ["check"]:
        check()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
