#!/usr/bin/env python3
"""A search algorithm of somebody else's: Optuna, asked by `rayc tune` (examples/search_external.yaml).

rayc writes one JSON object per line to stdin, an answer to "ask" goes to stdout; client/tune/external.h is the
protocol.  Usage: optuna_search.py [tpe|cmaes|gp|random|qmc]
"""
import json
import math
import sys

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

SAMPLERS = {
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "cmaes": lambda seed: optuna.samplers.CmaEsSampler(seed=seed),
    "gp": lambda seed: optuna.samplers.GPSampler(seed=seed),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "qmc": lambda seed: optuna.samplers.QMCSampler(seed=seed),
}


def distribution(param):
    """A parameter of the init message as Optuna has it; None: rayc sets it."""
    kind = param["kind"]
    if kind in ("const", "computed"):
        return None
    if kind == "choice":
        return CategoricalDistribution(param["options"])
    if kind == "beta":
        return FloatDistribution(0.0, 1.0)
    if kind == "normal":  # Optuna has none: four standard deviations to each side
        spread = 4 * param["sd"]
        if param["scale"] == "log":
            return FloatDistribution(math.exp(param["mean"] - spread), math.exp(param["mean"] + spread), log=True)
        step = param["step"] or None
        if step:
            ends = [round((param["mean"] + sign * spread) / step) * step for sign in (-1, 1)]
            return FloatDistribution(*ends, step=step)
        return FloatDistribution(param["mean"] - spread, param["mean"] + spread)
    log = param["scale"] == "log"
    if kind == "int" and not (log and param["step"] != 1):
        return IntDistribution(param["low"], param["high"], log=log, step=param["step"])
    step = param["step"] or None
    return FloatDistribution(param["low"], param["high"], log=log and not step, step=step)


def active(param, values):
    """Values may be left out where the parent has another value; what only rayc can tell is always given."""
    return all(values.get(when["param"]) in when["values"] for when in param["when"])


def suggest(trial, name, wanted):
    if isinstance(wanted, CategoricalDistribution):
        return trial.suggest_categorical(name, wanted.choices)
    if isinstance(wanted, IntDistribution):
        return trial.suggest_int(name, wanted.low, wanted.high, step=wanted.step, log=wanted.log)
    return trial.suggest_float(name, wanted.low, wanted.high, step=wanted.step, log=wanted.log)


class Search:
    def __init__(self, init, sampler):
        self.params = init["space"]
        self.distributions = {p["name"]: distribution(p) for p in self.params}
        direction = "minimize" if init["mode"] == "min" else "maximize"
        sampler = SAMPLERS[sampler](init["seed"] % 2**32)
        self.study = optuna.create_study(direction=direction, sampler=sampler)
        self.trials = {}  # Optuna's, by rayc's number

    def ask(self, number):
        trial = self.trials[number] = self.study.ask()
        values = {}
        for param in self.params:
            name, wanted = param["name"], self.distributions[param["name"]]
            if not active(param, values):
                continue
            if wanted is None:
                if "value" in param:
                    values[name] = param["value"]
            else:
                values[name] = suggest(trial, name, wanted)
        given = {n: v for n, v in values.items() if self.distributions[n] is not None}
        return {"trial": number, "params": given}

    def refuse(self, number):
        self.study.tell(self.trials.pop(number), state=TrialState.FAIL)
        return self.ask(number)

    def report(self, message):
        trial = self.trials.get(message["trial"])
        if trial is not None and message["value"] is not None:
            trial.report(message["value"], int(message["step"]))

    def tell(self, message):
        trial, value = self.trials.pop(message["trial"], None), message["value"]
        good = message["state"] == "TERMINATED" and value is not None
        if trial is not None:
            self.study.tell(trial, value if good else None, state=None if good else TrialState.FAIL)
        elif good:  # it ended before this program was started, or is the user's
            params = {n: v for n, v in message["params"].items() if self.distributions[n] is not None}
            chosen = {n: self.distributions[n] for n in params}
            self.study.add_trial(create_trial(params=params, distributions=chosen, value=value))


def main():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    search = None
    for line in sys.stdin:
        message = json.loads(line)
        answer = None
        if message["type"] == "init":
            search = Search(message, sys.argv[1] if len(sys.argv) > 1 else "tpe")
        elif message["type"] == "ask":
            answer = search.ask(message["trial"])
        elif message["type"] == "refuse":
            answer = search.refuse(message["trial"])
        elif message["type"] == "report":
            search.report(message)
        elif message["type"] == "tell":
            search.tell(message)
        if answer is not None:
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
