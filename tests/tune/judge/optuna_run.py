#!/usr/bin/env python3
"""optuna_run.py - Optuna's samplers on the judge's functions: one CSV row a (function, sampler, seed).

usage: optuna_run.py --out FILE [--curves FILE] [--functions public] [--samplers random,tpe,cmaes] [--seeds 20]
                     [--trials 200] [--processes 2] [--judge build/bin/rayc-judge | --module FILE.py]

Needs optuna, and cmaes for the sampler of that name.  `tpe` is Optuna's default sampler.  Functions and spaces are those of
rayc-judge, so that both sides see the same numbers; --module takes them from a Python file instead:

  FUNCS = {"name": {"mode": "min" or "max", "best": optimum, "noisy": False, "f": f, "space": [parameter, ...]}}
  f(params, noise): noise is (seed, trial), or None for the true value
  parameter: {"name", "type": "float" | "int" | "choice", "low", "high", "log", "step" | "values", "when": {name: [values]}}

Columns: function,sampler,seed,r10,...,r200,secs,dups: rN is the true regret of the best observed trial after N trials,
secs the wall time of the study, dups the trials that repeat an earlier configuration.  --curves: rN for more N.
"""
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
import argparse
import csv
import importlib.util
import json
import multiprocessing
import subprocess
import sys
import time
import warnings

POINTS = (10, 25, 50, 100, 200)


def curve_points(trials):
    return [1, 2] + list(range(5, trials + 1, 5))


def sampler_of(name, seed):
    import optuna
    samplers = optuna.samplers
    makers = {
        "random": lambda: samplers.RandomSampler(seed=seed),
        "tpe": lambda: samplers.TPESampler(seed=seed),
        "tpe_indep": lambda: samplers.TPESampler(seed=seed, multivariate=False),
        "tpe_group": lambda: samplers.TPESampler(seed=seed, multivariate=True, group=True),
        "cmaes": lambda: samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
        "gp": lambda: samplers.GPSampler(seed=seed, warn_independent_sampling=False),
        "qmc": lambda: samplers.QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False),
    }
    if name not in makers:
        sys.exit("optuna_run.py: unknown sampler %r; known: %s" % (name, " ".join(makers)))
    return makers[name]()


class Judged:
    """A function of rayc-judge: its space once, its values from a process that stays."""

    def __init__(self, judge, name):
        text = subprocess.run([judge, "space", name], check=True, capture_output=True, text=True).stdout
        self.name, self.about = name, json.loads(text)
        self.process = subprocess.Popen([judge, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def value(self, params, noise):
        words = [self.name] + ["%s=%s" % (k, v if isinstance(v, str) else repr(v)) for k, v in params.items()]
        words += ["seed=%d" % noise[0], "trial=%d" % noise[1]] if noise else ["--true"]
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Module:
    """A function of a Python file."""

    def __init__(self, path, name):
        self.about = load_module(path)[name]

    def value(self, params, noise):
        return self.about["f"](params, noise)

    def close(self):
        pass


def load_module(path):
    spec = importlib.util.spec_from_file_location("judged_functions", path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    spec.loader.exec_module(module)
    return module.FUNCS


def active(param, params):
    return all(k in params and params[k] in values for k, values in (param.get("when") or {}).items())


def suggest(trial, space):
    out = {}
    for p in space:
        if not active(p, out):
            continue
        name = p["name"]
        if p["type"] == "choice":
            out[name] = trial.suggest_categorical(name, p["values"])
        elif p["type"] == "int":
            out[name] = trial.suggest_int(name, p["low"], p["high"], log=p.get("log", False))
        else:
            out[name] = trial.suggest_float(name, p["low"], p["high"], log=p.get("log", False), step=p.get("step"))
    return out


def study(job):
    """Regret after each trial, seconds, repeats."""
    import optuna
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore")
    source, where, name, sampler, seed, trials = job
    function = (Judged if source == "judge" else Module)(where, name)
    about = function.about
    sign = 1 if about["mode"] == "min" else -1
    run = optuna.create_study(direction="minimize" if sign > 0 else "maximize", sampler=sampler_of(sampler, seed))
    best, regret, regrets, seen, repeats = None, None, [], set(), 0
    begun = time.perf_counter()
    for i in range(trials):
        trial = run.ask()
        params = suggest(trial, about["space"])
        value = function.value(params, (seed, i) if about.get("noisy") else None)
        run.tell(trial, value)
        key = tuple(sorted(params.items()))
        repeats += key in seen
        seen.add(key)
        if best is None or sign * value < sign * best:
            best, regret = value, sign * (function.value(params, None) - about["best"])
        regrets.append(regret)
    seconds = time.perf_counter() - begun
    function.close()
    return job, regrets, seconds, repeats


def options(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--functions", default="public")
    parser.add_argument("--samplers", default="random,tpe,cmaes")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--judge", default="build/bin/rayc-judge")
    parser.add_argument("--module")
    parser.add_argument("--out", required=True)
    parser.add_argument("--curves")
    return parser.parse_args(argv)


def names_of(args):
    if args.module:
        known = {"public": list(load_module(args.module))}
    else:
        known = {s: subprocess.run([args.judge, "list", s], check=True, capture_output=True, text=True).stdout.split()
                 for s in ("public", "holdout")}
    return [f for name in args.functions.split(",") for f in known.get(name, [name])]


def write(path, header, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main(argv):
    args = options(argv)
    source = ("module", args.module) if args.module else ("judge", args.judge)
    jobs = [source + (f, s, k, args.trials) for f in names_of(args) for s in args.samplers.split(",")
            for k in range(args.seeds)]
    results = {}
    with multiprocessing.get_context("spawn").Pool(args.processes, maxtasksperchild=40) as pool:
        for done, (job, *result) in enumerate(pool.imap_unordered(study, jobs), 1):
            results[job] = result
            if done % 50 == 0 or done == len(jobs):
                print("optuna: %d of %d studies" % (done, len(jobs)), file=sys.stderr, flush=True)
    table, curves = [], []
    for job in jobs:
        regrets, seconds, repeats = results[job]
        at = lambda n: "%.6g" % regrets[n - 1] if n <= args.trials else ""
        table.append(list(job[2:5]) + [at(n) for n in POINTS] + ["%.3f" % seconds, repeats])
        curves.append(list(job[2:5]) + [at(n) for n in curve_points(args.trials)])
    head = ["function", "sampler", "seed"]
    write(args.out, head + ["r%d" % n for n in POINTS] + ["secs", "dups"], table)
    if args.curves:
        write(args.curves, head + ["r%d" % n for n in curve_points(args.trials)], curves)


if __name__ == "__main__":
    main(sys.argv[1:])
