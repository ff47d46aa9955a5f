#!/usr/bin/env python3
"""asha_reference.py - ASHA as in the paper (Li et al., "A System for Massively Parallel Hyperparameter Tuning", 2018,
Algorithm 2) on the learning curve lc_cnn, in virtual time: what is promoted after which arrivals.

usage: asha_reference.py build/bin/rayc-judge > asha.csv
Four workers; a step takes one unit of time.  Row: eta,trial,step,value,next: `trial` arrived at the rung of `step` with
`value`, and its worker asks for a job: `next` is the trial that is promoted, or new for a new trial (numbered on).
"""
import heapq
import math
import random
import subprocess
import sys

WORKERS, STEPS, BUDGET = 4, 81, 12 * 81


class Asha:
    def __init__(self, eta):
        self.eta = eta
        self.resources = []
        resource = 1
        while resource < STEPS:
            self.resources.append(resource)
            resource *= eta
        self.resources.append(STEPS)
        self.rungs = [{} for _ in self.resources]
        self.promoted = [set() for _ in self.resources]

    def job(self):
        """The trial to promote and its new rung, the highest rung first; None: a new trial."""
        for k in range(len(self.resources) - 2, -1, -1):
            rung = self.rungs[k]
            for trial in sorted(rung, key=lambda i: rung[i])[:len(rung) // self.eta]:
                if trial not in self.promoted[k]:
                    self.promoted[k].add(trial)
                    return trial, k + 1
        return None


def draw(rng):
    log = lambda low, high: math.exp(rng.uniform(math.log(low), math.log(high)))
    return {"lr": log(1e-5, 1), "width": round(log(16, 256)), "drop": rng.uniform(0, 0.7), "decay": log(1e-6, 1e-2)}


def run(judge, eta):
    rng, asha, trials, queue, used = random.Random(eta), Asha(eta), [], [], 0

    def start(now, trial, rung):
        before = asha.resources[rung - 1] if rung else 0
        heapq.heappush(queue, (now + asha.resources[rung] - before, trial, rung))
        return asha.resources[rung] - before

    def value(trial, step):
        words = ["%s=%r" % item for item in trials[trial].items()]
        judge.stdin.write("lc_cnn %s --steps %d seed=1 trial=%d\n" % (" ".join(words), step, trial))
        judge.stdin.flush()
        return float(judge.stdout.readline())

    def new(now):
        trials.append(draw(rng))
        return start(now, len(trials) - 1, 0)

    for _ in range(WORKERS):
        used += new(0)
    while used < BUDGET:
        now, trial, rung = heapq.heappop(queue)
        asha.rungs[rung][trial] = value(trial, asha.resources[rung])
        job = asha.job()
        print("%d,%d,%d,%.17g,%s" % (eta, trial, asha.resources[rung], asha.rungs[rung][trial],
                                     job[0] if job else "new"))
        used += start(now, *job) if job else new(now)


def main():
    judge = subprocess.Popen([sys.argv[1], "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    print("eta,trial,step,value,next")
    for eta in (3, 4):
        run(judge, eta)


if __name__ == "__main__":
    main()
