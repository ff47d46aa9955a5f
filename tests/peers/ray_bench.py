"""Ray's side of scripts/bench: the same figures as rayc-bench, one JSON line each.

usage: ray_bench.py [throughput|roundtrip|objects|objects-get|start|memory|retry]...     (default: all)
One driver, two CPUs, no dashboard.  Each value is the median of REPS runs (default 3).
"""
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
REPS = int(os.environ.get("REPS", "3"))
TASKS = int(os.environ.get("TASKS", "10000"))
now = time.perf_counter


def report(name, value, unit):
    print(json.dumps({"name": name, "value": float(f"{value:.6g}"), "unit": unit}), flush=True)


def up():
    """Ray, started, with its workers warm; and the task that returns its argument."""
    import ray
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")

    @ray.remote
    def echo(x):
        return x

    ray.get([echo.remote(i) for i in range(200)])
    return ray, echo


def throughput():
    ray, echo = up()
    rates = []
    for _ in range(REPS):
        begun = now()
        assert ray.get([echo.remote(i) for i in range(TASKS)]) == list(range(TASKS))
        rates.append(TASKS / (now() - begun))
    report("throughput", statistics.median(rates), "task/s")


def roundtrip():
    ray, echo = up()
    medians = []
    for _ in range(REPS):
        times = []
        for i in range(2000):
            begun = now()
            ray.get(echo.remote(i))
            times.append((now() - begun) * 1e6)
        medians.append(statistics.median(times))
    report("roundtrip", statistics.median(medians), "us")


MB, WINDOW, OBJECTS = 10**6, 100, 1000


def objects():
    ray, _ = up()
    source, rates = pickle.PickleBuffer(bytearray(b"\7" * MB)), []  # out of band: Ray copies it once, as an array
    kept = [ray.put(source) for _ in range(WINDOW)]
    for _ in range(REPS):
        begun = now()
        for i in range(OBJECTS):
            kept[i % WINDOW] = ray.put(source)
        rates.append(OBJECTS * MB / 1e9 / (now() - begun))
    report("objects", statistics.median(rates), "GB/s")


def objects_get():
    ray, _ = up()

    @ray.remote
    def make():
        return pickle.PickleBuffer(bytearray(b"\7" * MB))

    rates = []
    for _ in range(REPS):
        refs = [make.remote() for _ in range(OBJECTS)]
        ray.wait(refs, num_returns=len(refs))
        begun = now()
        for ref in refs:
            value = memoryview(ray.get(ref))  # not copied
            assert len(value) == MB and int(value[0]) + int(value[-1]) == 14
        rates.append(OBJECTS * MB / 1e9 / (now() - begun))
        del refs, ref, value
    report("objects-get", statistics.median(rates), "GB/s")


FIRST = """
import ray
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
@ray.remote
def echo(x): return x
assert ray.get(echo.remote(1)) == 1
print("first", flush=True)
import sys; sys.stdin.readline()
"""


def fresh():
    """A new interpreter that has had its first result, and how long that took in milliseconds."""
    begun = now()
    child = subprocess.Popen([sys.executable, "-c", FIRST], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True)
    for line in child.stdout:
        if line == "first\n":
            return child, (now() - begun) * 1e3
    sys.exit("ray_bench.py: Ray did not start")


def start():
    times = []
    for _ in range(REPS):
        child, ms = fresh()
        child.communicate("\n")
        times.append(ms)
    report("start", statistics.median(times), "ms")


def descendants(root):
    children = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                children.setdefault(int(stat.read().rsplit(")", 1)[1].split()[1]), []).append(int(pid))
        except OSError:
            pass
    found, todo = [], [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def proc(pid, name):
    try:
        with open(f"/proc/{pid}/{name}") as file:
            return file.read()
    except OSError:
        return ""


def pss(pid):
    for line in proc(pid, "smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def ticks(pid):
    fields = proc(pid, "stat").rsplit(")", 1)[-1].split()
    return int(fields[11]) + int(fields[12]) if len(fields) > 12 else 0


def memory():
    """PSS of all processes of Ray but the driver, when they are as good as idle: under 5 % of a CPU for a second."""
    values = []
    for _ in range(REPS):
        child, _ = fresh()
        deadline = now() + 60
        while now() < deadline:
            before = sum(map(ticks, descendants(child.pid)))
            time.sleep(1)
            if sum(map(ticks, descendants(child.pid))) - before < 5:
                break
        values.append(sum(map(pss, descendants(child.pid))) / 1e6)
        child.communicate("\n")
    report("memory", statistics.median(values), "MB")


def retry():
    ray, echo = up()

    @ray.remote(max_retries=3)
    def victim(path):
        if not os.path.exists(path + ".second"):
            open(path + ".second", "w").close()
            with open(path, "w") as pipe:
                pipe.write(str(os.getpid()))
            time.sleep(3600)
        return os.getpid()

    times = []
    for _ in range(max(REPS, 5)):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "pid")
            os.mkfifo(path)
            ref = victim.remote(path)
            with open(path) as pipe:
                pid = int(pipe.read())
            begun = now()
            os.kill(pid, 9)
            assert ray.get(ref, timeout=60) != pid
            times.append((now() - begun) * 1e3)
        ray.get([echo.remote(i) for i in range(200)])
    report("retry", statistics.median(times), "ms")


BENCHES = {f.__name__.replace("_", "-"): f
           for f in (throughput, roundtrip, objects, objects_get, start, memory, retry)}


def main():
    names = sys.argv[1:] or list(BENCHES)
    if not set(names) <= set(BENCHES):
        sys.exit(__doc__)
    if len(names) == 1:
        BENCHES[names[0]]()
        return 0
    # A process each: one figure leaves nothing behind for the next.
    return max(subprocess.run([sys.executable, __file__, name]).returncode for name in names)


if __name__ == "__main__":
    sys.exit(main())
