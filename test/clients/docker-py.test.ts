import { guestFile, testGuest } from "./guest.ts";

// The suite's Python is Debian's own, whatever else is on PATH: that one sees the package python3-docker.
testGuest("docker-py", ["/usr/bin/python3", guestFile("docker_py.py")]);
