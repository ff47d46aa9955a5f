"""What scripts/bench sets beside rayc-bench tune and tpe: Ray Tune and Optuna, one JSON line each.

usage: tune_bench.py [tune|tpe]...     (default: both)
tune: no-op trials a second, one report each, two at a time, actors reused.  tpe: one suggestion of Optuna's TPESampler
over 10 parameters after 1,000 trials.  Each value is the median of REPS runs (default 3).
"""
import json
import logging
import os
import statistics
import sys
import tempfile
import time
import warnings

for key, value in {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AIR_NEW_OUTPUT": "0", "RAY_DEDUP_LOGS": "0",
                   "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}.items():
    os.environ.setdefault(key, value)
warnings.simplefilter("ignore")
REPS = int(os.environ.get("REPS", "3"))
TRIALS = int(os.environ.get("TRIALS", "64"))
now = time.perf_counter


def report(name, value, unit):
    print(json.dumps({"name": name, "value": float(f"{value:.6g}"), "unit": unit}), flush=True)


def tune():
    import ray
    from ray import tune as ray_tune
    logging.disable(logging.CRITICAL)

    def train(config):
        ray_tune.report({"loss": config["x"]})

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    rates = []
    for _ in range(REPS + 1):
        with tempfile.TemporaryDirectory() as folder:
            begun = now()
            results = ray_tune.Tuner(
                train, param_space={"x": ray_tune.uniform(0, 1)},
                tune_config=ray_tune.TuneConfig(num_samples=TRIALS, max_concurrent_trials=2, reuse_actors=True,
                                                metric="loss", mode="min"),
                run_config=ray_tune.RunConfig(storage_path=folder, verbose=0)).fit()
            rates.append(TRIALS / (now() - begun))
            assert len(results) == TRIALS and not results.errors
    report("tune", statistics.median(rates[1:]), "trial/s")  # the first warms it up


def tpe():
    import optuna
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    names, weights = "abcdefghij", range(1, 11)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    times = []
    for i in range(1000 + 30):
        begun = now()
        trial = study.ask()
        x = [trial.suggest_float(n, 0, 1) for n in names]
        if i >= 1000:
            times.append((now() - begun) * 1e6)
        study.tell(trial, sum((v - 0.3) ** 2 * w for v, w in zip(x, weights)))
    report("tpe", statistics.median(times), "us")


if __name__ == "__main__":
    for name in sys.argv[1:] or ["tune", "tpe"]:
        globals()[name]()
