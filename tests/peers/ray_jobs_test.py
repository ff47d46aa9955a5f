"""ray_jobs_test.py - Ray's own client against rayc: every command of `ray job`, its SDK, `ray list|get|summary`.

scripts/test-peers jobs starts a cluster and runs this with the Python of a virtual environment that has ray[default].
  RAY_ADDRESS_HTTP   where rayc's head answers: http://127.0.0.1:PORT
  RAY_AUTH_MODE, RAY_AUTH_TOKEN   as `rayc token env` prints them
  RAYC_KILL_HEAD     a command that kills the head with SIGKILL and starts it again
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest
import asyncio
import time

from ray.job_submission import JobStatus, JobSubmissionClient
from ray.util.state import get_job, list_jobs, list_nodes, list_tasks, summarize_tasks

ADDRESS = os.environ["RAY_ADDRESS_HTTP"]
RAY = os.path.join(os.path.dirname(sys.executable), "ray")
ENDED = {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.STOPPED}


def ray(*words, ok=True, **options):
    """Runs `ray WORDS...`; returns its output."""
    done = subprocess.run([RAY, *words], capture_output=True, text=True, timeout=120, **options)
    if ok and done.returncode != 0:
        raise AssertionError(f"ray {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done if not ok else done.stdout + done.stderr


def job(command, *words, **options):
    return ray("job", command, "--address", ADDRESS, *words, **options)


def kill_head():
    subprocess.run(os.environ["RAYC_KILL_HEAD"], shell=True, check=True, timeout=60)


class Jobs(unittest.TestCase):
    def setUp(self):
        self.client = JobSubmissionClient(ADDRESS)

    def ended(self, job_id, seconds=60):
        until = time.monotonic() + seconds
        while self.client.get_job_status(job_id) not in ENDED:
            self.assertLess(time.monotonic(), until, f"{job_id} has not ended")
            time.sleep(0.05)
        return self.client.get_job_info(job_id)

    def submit(self, entrypoint, **options):
        return self.client.submit_job(entrypoint=entrypoint, **options)

    # --- the command line ---

    def test_submit_follows_the_job_to_its_end(self):
        out = job("submit", "--submission-id", "cli-follow", "--", "sh", "-c", "echo one; sleep 1; echo two")
        self.assertIn("Job 'cli-follow' submitted successfully", out)
        self.assertIn("one\ntwo\n", out)
        self.assertIn("Job 'cli-follow' succeeded", out)

    def test_submit_that_fails(self):
        done = job("submit", "--submission-id", "cli-fails", "--", "sh", "-c", "echo oops; exit 3", ok=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Job 'cli-fails' failed", done.stdout + done.stderr)
        info = self.client.get_job_info("cli-fails")
        self.assertEqual(info.driver_exit_code, 3)
        self.assertEqual(info.error_type, "JOB_ENTRYPOINT_COMMAND_ERROR")
        self.assertEqual(
            info.message,
            "Job entrypoint command failed with exit code 3, last available logs (truncated to 20,000 chars):\noops\n",
        )

    def test_no_wait_status_logs_stop_list_delete(self):
        out = job("submit", "--no-wait", "--submission-id", "cli-life", "--", "sh", "-c", "echo begun; sleep 60")
        self.assertIn("ray job logs cli-life", out)
        until = time.monotonic() + 30
        while "begun" not in job("logs", "cli-life"):
            self.assertLess(time.monotonic(), until)
        self.assertIn("RUNNING", job("status", "cli-life"))
        self.assertIn("cli-life", job("list"))
        done = job("delete", "cli-life", ok=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("it is in a non-terminal state RUNNING", done.stdout + done.stderr)
        self.assertIn("was stopped", job("stop", "cli-life"))
        self.assertFalse(self.client.stop_job("cli-life"))
        self.assertIn("begun", job("logs", "-f", "cli-life"))
        self.assertIn("deleted successfully", job("delete", "cli-life"))
        self.assertNotEqual(job("status", "cli-life", ok=False).returncode, 0)

    def test_working_dir(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "inner"))
            with open(os.path.join(folder, "script.py"), "w") as file:
                file.write("import os, mine; print('cwd has', sorted(os.listdir('.'))); print(mine.WORD)\n")
            with open(os.path.join(folder, "mine.py"), "w") as file:
                file.write("WORD = 'found'\n")
            with open(os.path.join(folder, "inner", "x.txt"), "w") as file:
                file.write("x")
            for name in "cli-dir", "cli-dir-again":  # the second time the package is there
                out = job("submit", "--working-dir", folder, "--submission-id", name, "--", "python3", "script.py")
                self.assertIn("['inner', 'mine.py', 'script.py']", out)
                self.assertIn("found", out)
            self.assertIn("already exists, skipping upload", out)

    def test_runtime_env_of_a_file_and_metadata(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write("env_vars: {COLOUR: green, MY_TOKEN: do-not-show-this}\n")
            file.flush()
            out = job("submit", "--runtime-env", file.name, "--metadata-json", '{"owner": "me"}', "--submission-id",
                      "cli-env", "--", "sh", "-c", "echo colour $COLOUR")
        self.assertIn("colour green", out)
        info = self.client.get_job_info("cli-env")
        self.assertEqual(info.metadata, {"owner": "me"})
        self.assertEqual(info.runtime_env["env_vars"]["COLOUR"], "green")
        self.assertNotIn("do-not-show-this", json.dumps(info.runtime_env))

    def test_runtime_env_json(self):
        out = job("submit", "--runtime-env-json", '{"env_vars": {"A": "1 2"}}', "--", "sh", "-c", 'echo "A is $A"')
        self.assertIn("A is 1 2", out)

    def test_entrypoint_resources(self):
        job("submit", "--no-wait", "--submission-id", "cli-big", "--entrypoint-num-cpus", "500", "--", "true")
        info = self.client.get_job_info("cli-big")
        self.assertEqual(info.status, JobStatus.PENDING)
        self.assertIn("waiting for resources", info.message)
        self.client.stop_job("cli-big")
        self.assertEqual(self.ended("cli-big").status, JobStatus.STOPPED)
        out = job("submit", "--entrypoint-num-cpus", "1", "--entrypoint-memory", "1000000", "--", "echo", "ran")
        self.assertIn("ran", out)

    # --- the SDK ---

    def test_the_same_id_attaches_another_content_is_refused(self):
        self.assertEqual(self.submit("true", submission_id="sdk-same"), "sdk-same")
        self.assertEqual(self.submit("true", submission_id="sdk-same"), "sdk-same")
        with self.assertRaisesRegex(RuntimeError, "sdk-same already exists"):
            self.submit("false", submission_id="sdk-same")

    def test_py_modules(self):
        with tempfile.TemporaryDirectory() as folder:
            module = os.path.join(folder, "far_module")
            os.mkdir(module)
            with open(os.path.join(module, "__init__.py"), "w") as file:
                file.write("WORD = 'from afar'\n")
            name = self.submit("python3 -c 'import far_module; print(far_module.WORD)'",
                               runtime_env={"py_modules": [module]})
            self.ended(name)
            self.assertIn("from afar", self.client.get_job_logs(name))

    def test_tail_until_the_end(self):
        name = self.submit("for i in 1 2 3; do echo line $i; sleep 0.3; done")

        async def tail():
            return "".join([piece async for piece in self.client.tail_job_logs(name)])

        self.assertEqual(asyncio.run(tail()), "line 1\nline 2\nline 3\n")
        self.assertEqual(self.client.get_job_status(name), JobStatus.SUCCEEDED)

    def test_output_that_is_no_text(self):
        name = self.submit(r"printf '\303\244\377\n\"\\'; echo end")
        self.ended(name)
        self.assertEqual(self.client.get_job_logs(name), "ä\ufffd\n\\\"\\end\n")

    def test_unknown(self):
        for ask in self.client.get_job_info, self.client.stop_job, self.client.delete_job, self.client.get_job_logs:
            with self.assertRaisesRegex(RuntimeError, "404.*Job nope does not exist"):
                ask("nope")

    def test_what_rayc_does_not_have_is_refused(self):
        with self.assertRaisesRegex(RuntimeError, "400.*pip.*not supported"):
            self.submit("true", submission_id="sdk-pip", runtime_env={"pip": ["six"]})
        with self.assertRaisesRegex(RuntimeError, "404"):
            self.client.get_job_info("sdk-pip")

    # --- state ---

    def test_state(self):
        name = self.submit("echo state")
        self.ended(name)
        self.assertEqual(get_job(name, address=ADDRESS).status, "SUCCEEDED")
        self.assertIn(name, [one.submission_id for one in list_jobs(address=ADDRESS, limit=1000)])
        self.assertTrue(any(one.state == "ALIVE" for one in list_nodes(address=ADDRESS)))
        tasks = list_tasks(address=ADDRESS, detail=True)
        self.assertEqual([one for one in tasks if one.type == "DRIVER_TASK"], [])
        self.assertIn("cluster", summarize_tasks(address=ADDRESS))
        for words in (["list", "tasks"], ["list", "nodes"], ["list", "jobs"], ["summary", "tasks"],
                      ["get", "nodes", "1"], ["list", "actors"], ["list", "objects"],
                      ["summary", "actors"], ["summary", "objects"]):
            ray(*words, "--address", ADDRESS)
        self.assertIn("state", ray("list", "nodes", "--address", ADDRESS, "-f", "state=ALIVE", "--format", "yaml"))

    # --- a head that is killed between the calls ---

    def test_head_is_killed_between_the_calls(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "f.txt"), "w") as file:
                file.write("kept")
            name = self.submit("cat f.txt; sleep 4; echo after", submission_id="sdk-killed",
                               runtime_env={"working_dir": folder})
            kill_head()
            self.client.get_job_status(name)
            kill_head()
            again = JobSubmissionClient(ADDRESS)
            self.assertEqual(again.submit_job(entrypoint="cat f.txt; sleep 4; echo after", submission_id="sdk-killed",
                                              runtime_env={"working_dir": folder}), name)
        self.assertEqual(self.ended(name).status, JobStatus.SUCCEEDED)
        kill_head()
        self.assertEqual(self.client.get_job_logs(name), "keptafter\n")
        self.assertTrue(self.client.delete_job(name))
        kill_head()
        with self.assertRaisesRegex(RuntimeError, "404"):
            self.client.get_job_info(name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
