import { expect, test } from "bun:test";
import fc from "fast-check";
import { asContainerId } from "#base/ids.ts";
import { digestOf } from "#oci/digest.ts";
import { createRequest } from "./_fixtures/requests.ts";
import { mergeWithImage } from "./merge.ts";
import type { ContainerRecord } from "./record.ts";
import { type SpecFacts, specInput } from "./spec-plan.ts";

// Case 31: what an image says of itself is data. It changes nothing of how a container is run.

const FACTS: SpecFacts = {
  user: { uid: 0, gid: 0, groups: [0], home: "/" },
  hostname: "box",
  etc: { hostname: "/c/hostname", hosts: "/c/hosts", resolvConf: "/c/resolv.conf" },
  rootfs: "/c/rootfs",
  networkNamespace: "/c/netns",
  pidNamespace: undefined,
  ipcNamespace: undefined,
  shmPath: undefined,
  linkEnv: [],
  sourceOf: () => "/c/volume",
  initPath: undefined,
};

/** A container of an image with these labels and this author's history. */
function record(labels: ReadonlyMap<string, string>): ContainerRecord {
  const { config, hostConfig } = createRequest({ Cmd: ["true"] }, { NetworkMode: "bridge" });
  return {
    id: asContainerId("a".repeat(64)),
    name: "box",
    createdAt: 0,
    imageId: digestOf("image"),
    manifestDigest: digestOf("image"),
    parent: undefined,
    platform: "linux",
    config: mergeWithImage(config, { labels }),
    hostConfig,
    endpoints: new Map(),
    mounts: [],
    network: { namespacePath: undefined, endpoints: [], ports: [] },
    state: { status: "created" },
    restartCount: 0,
    wasStoppedByHand: false,
  };
}

/** Keys that some runtime, monitor or engine has taken orders from, and any others. */
const key = fc.oneof(
  fc.constantFrom(
    "run.oci.hooks.stdout",
    "run.oci.seccomp.receiver",
    "run.oci.seccomp_bpf_data",
    "run.oci.systemd.subgroup",
    "run.oci.keep_original_groups",
    "run.oci.handler",
    "run.oci.delegate-cgroup",
    "org.systemd.property.ExecStart",
    "io.podman.annotations.privileged",
    "io.podman.annotations.seccomp",
    "io.kubernetes.cri-o.TrySkipVolumeSELinuxLabel",
    "io.containers.autoupdate",
    "PODMAN_SYSTEMD_UNIT",
    "com.docker.network.bridge.name",
    "org.opencontainers.image.stopSignal",
    "__proto__",
    "constructor",
  ),
  fc.string(),
);

test("case 31: whatever labels an image has, its container is run as one without any", () => {
  const plain = JSON.stringify(specInput(record(new Map()), FACTS));
  fc.assert(
    fc.property(fc.array(fc.tuple(key, fc.string()), { maxLength: 12 }), (labels) => {
      expect(JSON.stringify(specInput(record(new Map(labels)), FACTS))).toBe(plain);
    }),
    { numRuns: 10_000 },
  );
});
