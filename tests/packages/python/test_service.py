"""The module of the installed wheel, with real processes. pytest of the environment that has the wheel runs this file."""

import gc
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

from hub_local import HubLocalError, find_binary, start_hub_local

WELL_KNOWN = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"


def answers(url):
    try:
        with urllib.request.urlopen(f"{url}/api/health", timeout=5) as response:
            return response.status == 200
    except urllib.error.URLError:
        return False


def until(check):
    end = time.monotonic() + 30
    while not check():
        assert time.monotonic() < end, "waited 30 s"
        time.sleep(0.01)


def children():
    """Process ids of the services that this process has started and that run."""
    listed = subprocess.run(["ps", "-ww", "-o", "pid=,stat=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True)
    lines = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    return {int(line[0]) for line in lines if not line[1].startswith("Z") and "--stop-with-stdin" in line[2]}


@pytest.fixture
def program(tmp_path):
    """Makes a program that takes the place of the binary."""

    def make(script):
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return {"HUB_LOCAL_BINARY": str(path)}

    return make


def test_a_started_service_has_addresses_and_accepts_requests():
    with start_hub_local() as local:
        assert answers(local.url)
        assert local.url.endswith(f":{local.port}")
        assert f"Port={local.port};AccessKey={WELL_KNOWN};" in local.connection_string
        assert re.fullmatch(rf"http://\S+:{local.port}/inspector#\S+", local.inspector)
    assert not answers(local.url)


def test_stop_ends_the_process_and_may_be_called_again_and_by_several_threads():
    local = start_hub_local()
    assert len(children()) == 1

    threads = [threading.Thread(target=local.stop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    local.stop()

    assert not children()


def test_several_services_run_at_once_and_the_end_of_one_leaves_the_other():
    with start_hub_local() as first:
        with start_hub_local() as second:
            assert first.port != second.port
            assert answers(first.url) and answers(second.url)
        assert answers(first.url) and not answers(second.url)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_service_that_is_no_longer_referenced_stops():
    local = start_hub_local()
    assert len(children()) == 1

    del local
    gc.collect()

    until(lambda: not children())


def test_the_key_is_used_and_is_in_no_argument_and_in_no_text_of_the_object():
    key = "a-secret-key-of-this-test"
    with start_hub_local(key=key, args=["--inspector", "off"]) as local:
        assert f"AccessKey={key};" in local.connection_string
        assert local.inspector is None
        (process,) = children()
        arguments = subprocess.run(["ps", "-ww", "-o", "args=", str(process)], capture_output=True, text=True).stdout
        assert "start" in arguments and key not in arguments
        assert key not in repr(local) and key not in str(local)


def test_variables_are_added_and_removed(monkeypatch):
    monkeypatch.setenv("HUB_LOCAL_INSPECTOR", "off")
    monkeypatch.setenv("HUB_LOCAL_URL", "http://127.0.0.1:1")
    with start_hub_local() as local:
        assert local.inspector is None
        assert answers(local.url)
    with start_hub_local(env={"HUB_LOCAL_INSPECTOR": None}) as local:
        assert local.inspector is not None


def test_an_upstream_for_a_hub_comes_before_that_for_all_others(program, tmp_path):
    file = tmp_path / "arguments"
    env = program(f'printf "%s\\n" "$@" > {file}; exit 3')
    with pytest.raises(HubLocalError):
        start_hub_local(upstream={"*": "http://a/", "chat": "http://b/"}, args=["--strict"], log="debug", env=env)
    assert file.read_text().splitlines() == [
        *("start", "--json", "--stop-with-stdin", "--port", "0"),
        *("--upstream", "chat=http://b/", "--upstream", "*=http://a/", "--log", "debug", "--strict"),
    ]


def test_a_port_in_use_is_an_error_with_the_text_of_the_service():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(HubLocalError) as caught:
            start_hub_local(port=port)
    text = str(caught.value)
    assert text.startswith("hub-local ended before it accepted connections, with exit code 1:\n")
    assert f"cannot listen on 127.0.0.1:{port}" in text


def test_a_wrong_argument_is_an_error_with_the_text_of_the_service():
    with pytest.raises(HubLocalError, match=r"exit code 2:\n(.|\n)*--strcit"):
        start_hub_local(args=["--strcit"])


def test_a_service_that_prints_nothing_is_ended_after_the_timeout(program):
    with pytest.raises(HubLocalError) as caught:
        start_hub_local(env=program("echo waiting >&2; exec sleep 600"), timeout=0.5)
    assert str(caught.value) == "hub-local did not start within 0.5 s:\nwaiting"
    listed = subprocess.run(["ps", "-ww", "-o", "args=", "--ppid", str(os.getpid())], capture_output=True, text=True)
    assert "sleep 600" not in listed.stdout


def test_a_service_that_a_signal_ends_is_an_error_with_the_signal(program):
    with pytest.raises(HubLocalError, match="with signal 9$"):
        start_hub_local(env=program("kill -KILL $$"))


@pytest.mark.parametrize("line", ["hello", "[]", '{"url": "http://127.0.0.1:1"}'])
def test_a_program_that_is_no_hub_local_is_an_error(program, line):
    with pytest.raises(HubLocalError, match="printed something else than its addresses"):
        start_hub_local(env=program(f"echo '{line}'; exec sleep 600"))


def test_a_binary_that_cannot_run_is_an_error(tmp_path):
    with pytest.raises(HubLocalError, match="not-there cannot be started: No such file or directory"):
        start_hub_local(env={"HUB_LOCAL_BINARY": str(tmp_path / "not-there")})
    (tmp_path / "text").write_text("no program")
    with pytest.raises(HubLocalError, match="text cannot be started: Permission denied"):
        start_hub_local(env={"HUB_LOCAL_BINARY": str(tmp_path / "text")})


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        *(("upstream", value, TypeError) for value in (5, ["http://a/"], {"chat": 5}, {5: "http://a/"}, {"chat": None})),
        *(("upstream", value, ValueError) for value in ({}, "http://a/\0", {"chat": "\0"})),
        *(("port", value, TypeError) for value in (None, True, "80", 80.0)),
        *(("port", value, ValueError) for value in (-1, 65536)),
        *(("key", 5, TypeError), ("key", b"secret", TypeError), ("key", "secret\0", ValueError)),
        *(("args", value, TypeError) for value in ("--strict", b"--strict", None, {"--strict"}, [5])),
        *(("args", ["--strict\0"], ValueError), ("env", {"A": "\0"}, ValueError)),
        *(("env", value, TypeError) for value in (["A=1"], {"A": 1}, {1: "A"})),
        *(("timeout", value, TypeError) for value in (None, True, "10")),
        *(("timeout", value, ValueError) for value in (0, -1, float("nan"), float("inf"), threading.TIMEOUT_MAX + 1)),
        *(("log", 5, TypeError), ("log", "warn\0", ValueError)),
    ],
)
def test_a_wrong_option_is_an_error_before_the_start_and_its_value_is_not_shown(program, tmp_path, option, value, error):
    started = tmp_path / "started"
    options = {"env": program(f"touch {started}; exit 3"), option: value}
    with pytest.raises(error, match=f"^{option} must be ") as caught:
        start_hub_local(**options)
    assert "secret" not in str(caught.value)
    assert not started.exists()


def test_an_unknown_option_is_an_error():
    with pytest.raises(TypeError, match="upstrem"):
        start_hub_local(upstrem="http://a/")


def test_the_log_of_the_start_goes_to_standard_error(capfd):
    with start_hub_local(env={"HUB_LOCAL_PRT": "1"}):
        pass
    assert "HUB_LOCAL_PRT is not read" in capfd.readouterr().err


def test_lines_of_the_log_after_the_start_go_to_standard_error_while_the_service_runs(capfd):
    with start_hub_local() as local:
        capfd.readouterr()
        request = urllib.request.Request(f"{local.url}/api/hubs/chat/:send", data=b"{}", method="POST")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(request, timeout=5)
        until(lambda: "REST call refused" in capfd.readouterr().err)


def test_the_service_ends_with_a_process_that_is_killed():
    script = "import hub_local, time; l = hub_local.start_hub_local(); print(l.url, flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        url = parent.stdout.readline().strip()
        assert answers(url)
        parent.send_signal(signal.SIGKILL)
        until(lambda: not answers(url))


def test_the_fixture_is_a_running_service(hub_local):
    assert answers(hub_local.url)


def test_the_binary_is_that_of_this_environment():
    assert find_binary() == os.path.join(sys.prefix, "bin", "hub-local")
