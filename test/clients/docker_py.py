"""Facts about containers as docker-py's users meet them; see guest.ts for the protocol."""

import io
import itertools
import json
import os
import socket
import sys
import tarfile
import threading
import time
import traceback
from contextlib import contextmanager

import docker
from docker.errors import APIError, BuildError, ContainerError, ImageNotFound, NotFound
from docker.utils.socket import frames_iter

BASE_URL = "unix://" + os.environ.get("DARSE_SOCKET", "/nonexistent")
BUSYBOX_TAR = os.path.join(os.environ.get("DARSE_CACHE", "/var/cache/darse"), "busybox.tar")
FACTS = {}
client = docker.DockerClient(base_url=BASE_URL, version="auto") if "--list" not in sys.argv else None


def fact(name):
    def declare(work):
        FACTS[name] = work
        return work

    return declare


@contextmanager
def container(command, **options):
    made = client.containers.create("busybox", command, **options)
    try:
        yield made
    finally:
        try:
            made.remove(force=True, v=True)
        except NotFound:
            pass


@contextmanager
def sleeper(**options):
    with container(["sleep", "1d"], network_mode="none", **options) as made:
        made.start()
        yield made


def refuses(kind, status, text, work):
    try:
        work()
    except kind as error:
        assert status is None or error.response.status_code == status, error
        assert text in str(error), error
    else:
        raise AssertionError(f"nothing was refused; wanted {status} {text}")


def a_tar(files):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    data.seek(0)
    return data


@fact("the version is negotiated, ping and info answer")
def _():
    assert client.ping() is True
    assert client.version()["MinAPIVersion"] == "1.24"
    assert client.api.api_version == client.version()["ApiVersion"]
    assert client.info()["OSType"] == "linux"


@fact("run gives what the container wrote")
def _():
    assert client.containers.run("busybox", ["echo", "hello"], remove=True) == b"hello\n"


@fact("run raises with the exit code and standard error")
def _():
    command = ["sh", "-c", "echo why >&2; exit 3"]
    try:
        client.containers.run("busybox", command, remove=True, stderr=True)
    except ContainerError as error:
        assert (error.exit_status, error.stderr) == (3, b"why\n"), error
    else:
        raise AssertionError("no error")


@fact("run of an image that is not there raises ImageNotFound when it cannot be pulled")
def _():
    refuses(APIError, None, "", lambda: client.containers.run("localhost:1/nothing", "true"))
    refuses(ImageNotFound, 404, "No such image: nothing:latest", lambda: client.images.get("nothing"))


@fact("a container is created, started, stopped, restarted and removed")
def _():
    with container(["sleep", "1d"], name="py-life") as made:
        assert made.status == "created"
        made.start()
        made.reload()
        assert made.status == "running" and made.name == "py-life"
        made.stop(timeout=0)
        made.reload()
        assert made.status == "exited" and made.attrs["State"]["ExitCode"] == 137
        made.restart(timeout=0)
        made.reload()
        assert made.status == "running"
        made.remove(force=True)
        refuses(NotFound, 404, "No such container", made.reload)


@fact("wait answers the exit code, by each condition")
def _():
    for condition in ("not-running", "next-exit", "removed"):
        with container(["sh", "-c", "sleep 0.2; exit 6"], auto_remove=condition == "removed") as made:
            answers = []
            waiting = threading.Thread(target=lambda: answers.append(made.wait(condition=condition)))
            if condition == "not-running":
                made.start()
                waiting.start()
            else:
                waiting.start()
                time.sleep(0.1)
                made.start()
            waiting.join(10)
            assert [answer["StatusCode"] for answer in answers] == [6], (condition, answers)


@fact("logs by stream, tail, time and with timestamps; following ends with the container")
def _():
    with container(["sh", "-c", "for i in 1 2 3; do echo line $i; done; echo bad >&2"]) as made:
        made.start()
        followed = b"".join(made.logs(stream=True, follow=True))
        assert sorted(followed.splitlines()) == [b"bad", b"line 1", b"line 2", b"line 3"], followed
        assert made.logs(stderr=False, tail=1) == b"line 3\n"
        assert made.logs(stdout=False) == b"bad\n"
        assert made.logs(stderr=False, timestamps=True).split(b" ")[0].endswith(b"Z")
        assert made.logs(since=int(time.time()) + 60) == b""
        assert made.logs(until=1) == b""


@fact("attach streams both outputs apart")
def _():
    with container(["sh", "-c", "echo out; echo err >&2"]) as made:
        stream = client.api.attach(made.id, stream=True, demux=True)
        made.start()
        pieces = list(stream)
        assert b"".join(out or b"" for out, _ in pieces) == b"out\n", pieces
        assert b"".join(err or b"" for _, err in pieces) == b"err\n", pieces


@fact("an attach socket carries standard input and sees its end")
def _():
    with container(["cat"], stdin_open=True) as made:
        made.start()
        attached = made.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        raw = attached._sock
        raw.sendall(b"through\n")
        _, data = next(frames_iter(attached, tty=False))
        assert data == b"through\n", data
        raw.shutdown(socket.SHUT_WR)
        attached.close()


@fact("a terminal is raw and can be resized")
def _():
    with container(["sh", "-c", "read x; stty size"], tty=True, stdin_open=True) as made:
        attached = made.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
        made.start()
        made.resize(31, 97)
        attached._sock.sendall(b"go\n")
        said = b""
        while chunk := attached._sock.recv(4096):
            said += chunk
        assert said == b"go\r\n31 97\r\n", said


@fact("exec_run gives exit code and output, whole, apart and as a stream")
def _():
    with sleeper() as made:
        assert made.exec_run(["sh", "-c", "echo hi; exit 4"]) == (4, b"hi\n")
        code, (out, err) = made.exec_run(["sh", "-c", "echo o; echo e >&2"], demux=True)
        assert (code, out, err) == (0, b"o\n", b"e\n")
        _, stream = made.exec_run(["sh", "-c", "echo a; echo b"], stream=True)
        assert b"".join(stream) == b"a\nb\n"
        options = {"environment": {"A": "b"}, "workdir": "/tmp", "user": "nobody", "tty": True}
        assert made.exec_run(["sh", "-c", "echo $A $(pwd) $(id -u)"], **options).output == b"b /tmp 65534\r\n"
        assert made.exec_run(["nosuchthing"]).exit_code == 127


@fact("an exec's socket carries standard input")
def _():
    with sleeper() as made:
        exec_id = client.api.exec_create(made.id, ["cat"], stdin=True)["Id"]
        opened = client.api.exec_start(exec_id, socket=True)
        opened._sock.sendall(b"through\n")
        opened._sock.shutdown(socket.SHUT_WR)
        assert [data for _, data in frames_iter(opened, tty=False)] == [b"through\n"]
        opened.close()
        assert client.api.exec_inspect(exec_id)["ExitCode"] == 0


@fact("exec in what does not run is a conflict")
def _():
    with container(["true"]) as made:
        refuses(APIError, 409, "is not running", lambda: made.exec_run("true"))


@fact("pause, unpause, kill and rename")
def _():
    with sleeper() as made:
        made.pause()
        made.reload()
        assert made.status == "paused"
        made.unpause()
        made.rename("py-renamed")
        assert client.containers.get("py-renamed").id == made.id
        made.kill(signal="SIGKILL")
        assert made.wait()["StatusCode"] == 137
        refuses(APIError, 409, "is not running", made.kill)


@fact("lists filter by status, label, name, ancestor, volume, exit code and order")
def _():
    with sleeper(name="py-one", labels={"py": "1"}) as one, container(
        ["sh", "-c", "exit 5"], name="py-two", labels={"py": "2"}, volumes=["/data"]
    ) as two:
        two.start()
        two.wait()

        def names(**filters):
            return sorted(found.name for found in client.containers.list(all=True, filters=filters))

        assert names(label="py") == ["py-one", "py-two"]
        assert names(label="py=2") == ["py-two"]
        assert names(label="py", status="running") == ["py-one"]
        assert names(label="py", exited=5) == ["py-two"]
        assert names(label="py", name="one") == ["py-one"]
        assert names(label="py", volume="/data") == ["py-two"]
        assert names(label="py", ancestor="busybox") == ["py-one", "py-two"]
        assert names(label="py", since="py-one") == ["py-two"]
        assert names(label="py", before="py-two") == ["py-one"]
        assert [found.name for found in client.containers.list(filters={"label": "py"})] == ["py-one"]
        assert len(client.containers.list(limit=1)) == 1
        assert one.short_id == one.id[: len(one.short_id)]
        refuses(APIError, 400, "invalid filter 'nope'", lambda: names(nope="x"))


@fact("prune by label and by age")
def _():
    made = client.containers.create("busybox", "true", labels={"py-prune": "1"})
    assert client.containers.prune({"label": "py-prune", "until": "1"})["ContainersDeleted"] in (None, [])
    assert client.containers.prune({"label": "py-prune"})["ContainersDeleted"] == [made.id]


@fact("events are decoded, filtered and replayed")
def _():
    since = int(time.time()) - 1
    live = client.events(decode=True, filters={"type": "container", "label": "py-watched"})
    client.containers.run("busybox", ["true"], remove=True, labels=["py-watched"])
    wanted = {"create", "attach", "start", "die", "destroy"}
    seen = []
    for event in live:
        seen.append(event["Action"])
        if event["Action"] == "destroy":
            break
    live.close()
    assert set(seen) <= wanted and seen[0] == "create" and seen[-1] == "destroy", seen
    until = int(time.time()) + 1
    filters = {"event": ["create", "die"], "label": "py-watched"}
    past = list(client.events(since=since, until=until, decode=True, filters=filters))
    assert [event["Action"] for event in past] == ["create", "die"], past
    assert past[1]["Actor"]["Attributes"]["exitCode"] == "0"


@fact("ports, binds, tmpfs, limits and environment are applied")
def _():
    options = {
        "ports": {"80/tcp": ("127.0.0.1", None)},
        "volumes": {"/etc": {"bind": "/host", "mode": "ro"}},
        "tmpfs": {"/scratch": "size=1m"},
        "mem_limit": "64m",
        "environment": ["A=b"],
        "hostname": "named",
        "cap_drop": ["CHOWN"],
    }
    script = "hostname; echo $A; cat /host/hostname >/dev/null && echo bound; grep -c /scratch /proc/mounts; sleep 1d"
    with container(["sh", "-c", script], **options) as made:
        made.start()
        for _ in range(200):
            if made.logs().count(b"\n") == 4:
                break
            time.sleep(0.02)
        assert made.logs() == b"named\nb\nbound\n1\n", made.logs()
        made.reload()
        assert made.attrs["HostConfig"]["Memory"] == 64 << 20
        (binding,) = made.ports["80/tcp"]
        assert binding["HostIp"] == "127.0.0.1" and int(binding["HostPort"]) > 0


@fact("volumes are created, used, held, listed, removed and pruned")
def _():
    volume = client.volumes.create("py-data", labels={"py": "1"})
    command = ["sh", "-c", "echo kept > /data/f"]
    client.containers.run("busybox", command, volumes={"py-data": {"bind": "/data"}}, remove=True)
    read = client.containers.run("busybox", ["cat", "/d/f"], volumes=["py-data:/d:ro"], remove=True)
    assert read == b"kept\n"
    with container(["true"], volumes=["py-data:/d"]):
        refuses(APIError, 409, "volume is in use", volume.remove)
        assert [found.name for found in client.volumes.list(filters={"dangling": True, "name": "py-"})] == []
    assert [found.name for found in client.volumes.list(filters={"label": "py=1"})] == ["py-data"]
    volume.remove()
    refuses(NotFound, 404, "no such volume", lambda: client.volumes.get("py-data"))
    named = client.volumes.create("py-named")
    anonymous = client.volumes.create()
    assert client.volumes.prune()["VolumesDeleted"] == [anonymous.name]
    named.remove()


@fact("the networks of every engine are there; others are made, joined under aliases, left, found by label and pruned")
def _():
    assert sorted(found.name for found in client.networks.list()) == ["bridge", "host", "none"]
    assert [found.name for found in client.networks.list(names=["host"])] == ["host"]
    pool = docker.types.IPAMPool(subnet="10.213.7.0/24", gateway="10.213.7.254")
    ipam = docker.types.IPAMConfig(pool_configs=[pool])
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.network": "back"}
    made = client.networks.create("shop_back", driver="bridge", ipam=ipam, internal=True, labels=labels)
    assert made.attrs["IPAM"]["Config"] == [{"Subnet": "10.213.7.0/24", "Gateway": "10.213.7.254"}]
    found = client.networks.list(filters={"label": "com.docker.compose.project=shop"})
    assert [one.id for one in found] == [made.id]
    refuses(APIError, 409, "already exists", lambda: client.networks.create("shop_back"))
    with container(["sleep", "1d"]) as one:
        one.start()
        assert one.id in client.networks.get("bridge").attrs["Containers"]
        made.connect(one, aliases=["db"], ipv4_address="10.213.7.9")
        one.reload()
        joined = one.attrs["NetworkSettings"]["Networks"]["shop_back"]
        assert joined["IPAddress"] == "10.213.7.9" and "db" in joined["Aliases"]
        made.reload()
        assert [each.id for each in made.containers] == [one.id]
        refuses(APIError, 403, "has active endpoints", made.remove)
        made.disconnect(one)
        made.reload()
        assert made.containers == []
    assert client.networks.prune(filters={"label": "other"})["NetworksDeleted"] is None
    assert client.networks.prune(filters={"label": "com.docker.compose.project=shop"})["NetworksDeleted"] == ["shop_back"]


@fact("images are imported, tagged, saved, loaded, listed and removed")
def _():
    client.api.import_image_from_file(BUSYBOX_TAR, repository="py/image", tag="1")
    image = client.images.get("py/image:1")
    assert image.tag("py/other", "2") is True
    assert sorted(itertools.chain(*(found.tags for found in client.images.list("py/*")))) == ["py/image:1", "py/other:2"]
    saved = b"".join(client.images.get("py/other:2").save(named="py/other:2"))
    client.images.remove("py/other:2")
    (loaded,) = client.images.load(saved)
    assert loaded.tags.count("py/other:2") == 1 and len(loaded.history()) > 0
    client.images.remove("py/other:2")
    client.images.remove("py/image:1")
    refuses(ImageNotFound, 404, "No such image: py/image:1", lambda: client.images.get("py/image:1"))


@fact("an image is built, with arguments and labels, and a failure has its log")
def _():
    dockerfile = b"FROM busybox\nARG WORD\nCOPY data /data\nRUN echo $WORD > /word\n"
    context = a_tar({"Dockerfile": dockerfile, "data": b"copied"})
    image, log = client.images.build(
        fileobj=context, custom_context=True, tag="py-built", buildargs={"WORD": "said"}, labels={"py": "1"}
    )
    assert image.labels["py"] == "1" and "py-built:latest" in image.tags
    assert any("Successfully built" in line.get("stream", "") for line in log)
    assert client.containers.run("py-built", ["cat", "/word", "/data"], remove=True) == b"said\ncopied"
    client.images.remove("py-built")
    broken = a_tar({"Dockerfile": b"FROM busybox\nRUN exit 7\n"})
    refuses(BuildError, None, "non-zero code: 7", lambda: client.images.build(fileobj=broken, custom_context=True))


@fact("an archive is put in and taken out again")
def _():
    with sleeper() as made:
        assert made.put_archive("/tmp", a_tar({"from-client.txt": b"put in\n"}).getvalue()) is True
        assert made.exec_run(["cat", "/tmp/from-client.txt"]).output == b"put in\n"
        stream, stat = made.get_archive("/tmp/from-client.txt")
        assert (stat["name"], stat["size"]) == ("from-client.txt", 7), stat
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
            assert archive.extractfile("from-client.txt").read() == b"put in\n"
        refuses(NotFound, 404, "/nothing", lambda: made.get_archive("/nothing"))


@fact("diff, export and commit tell what a container has done to its root")
def _():
    with container(["sh", "-c", "echo new > /made; rm /etc/group"]) as made:
        made.start()
        made.wait()
        changes = {change["Path"]: change["Kind"] for change in made.diff()}
        assert (changes["/made"], changes["/etc"], changes["/etc/group"]) == (1, 0, 2), changes
        with tarfile.open(fileobj=io.BytesIO(b"".join(made.export()))) as archive:
            names = [name.removeprefix("./") for name in archive.getnames()]
        assert "made" in names and "etc/group" not in names
        image = made.commit("py-committed", "1", message="why", author="me", conf={"Cmd": ["cat", "/made"]})
        assert client.containers.run("py-committed:1", remove=True) == b"new\n"
        assert image.attrs["Author"] == "me"
        client.images.remove("py-committed:1")


@fact("top, stats and update")
def _():
    with sleeper() as made:
        assert made.top(ps_args="-o pid,args")["Processes"][0][1] == "sleep 1d"
        sample = made.stats(stream=False)
        assert sample["id"] == made.id and sample["memory_stats"]["usage"] > 0
        streamed = made.stats(decode=True)
        assert next(streamed)["id"] == made.id
        streamed.close()
        made.update(mem_limit="64m", memswap_limit=-1, restart_policy={"Name": "always"})
        made.reload()
        assert made.attrs["HostConfig"]["Memory"] == 64 << 20
        assert made.attrs["HostConfig"]["RestartPolicy"]["Name"] == "always"


@fact("a health check makes it healthy, and lists filter by it")
def _():
    check = {"test": ["CMD", "true"], "interval": 100_000_000, "retries": 1}
    with sleeper(healthcheck=check, name="py-healthy") as made:
        for _ in range(200):
            made.reload()
            if made.attrs["State"]["Health"]["Status"] == "healthy":
                break
            time.sleep(0.02)
        found = client.containers.list(filters={"health": "healthy"})
        assert [one.name for one in found] == ["py-healthy"]


@fact("refusals have Docker's status and text")
def _():
    create = client.containers.create
    refuses(NotFound, 404, "No such container: nothing", lambda: client.containers.get("nothing"))
    refuses(APIError, 400, "Invalid container name (a/b)", lambda: create("busybox", name="a/b"))
    refuses(APIError, 400, "Minimum memory limit", lambda: create("busybox", mem_limit=1024))
    with sleeper(name="py-taken") as made:
        refuses(APIError, 409, "is already in use by container", lambda: create("busybox", name="py-taken"))
        refuses(APIError, 409, "container is running", made.remove)
        refuses(APIError, 400, "nvalid signal", lambda: made.kill(signal="NOPE"))


def life_at(version):
    def life():
        old = docker.DockerClient(base_url=BASE_URL, version=version)
        made = old.containers.create("busybox", ["sh", "-c", "echo said; exit 4"])
        stream = old.api.attach(made.id, stream=True)
        made.start()
        assert made.wait()["StatusCode"] == 4
        assert b"".join(stream) == b"said\n"
        assert made.logs() == b"said\n"
        made.reload()
        assert made.status == "exited"
        made.remove()

    return life


for number in ("1.24", "1.41", "1.55"):
    FACTS[f"a client of API {number} takes a container through its life"] = life_at(number)


def serve():
    if "--list" in sys.argv:
        print(json.dumps(list(FACTS)))
        return
    for line in iter(sys.stdin.readline, ""):
        try:
            FACTS[line.rstrip("\n")]()
            verdict = {"ok": True}
        except Exception:
            verdict = {"ok": False, "error": traceback.format_exc()}
        print(json.dumps(verdict), flush=True)


serve()
