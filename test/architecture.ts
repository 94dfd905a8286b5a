/** The table of style: which rooms each room may import. `main.ts`, the entry, may import any, lazily. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  oci: ["base"],
  linux: ["base"],
  api: ["base"],
  registry: ["base", "oci"],
  store: ["base", "oci", "linux"],
  network: ["base", "linux", "store"],
  runtime: ["base", "oci", "linux"],
  image: ["base", "oci", "store", "registry"],
  "registry-server": ["base", "oci", "store"],
  container: ["base", "oci", "store", "image", "runtime", "network"],
  build: ["base", "oci", "store", "image", "runtime", "network"],
  daemon: [
    "base",
    "oci",
    "linux",
    "api",
    "registry",
    "store",
    "network",
    "runtime",
    "image",
    "container",
    "build",
  ],
  compose: ["base", "oci", "api"],
  // `registry` for what docker's command line does without an engine: manifest, and login where none answers.
  // Loaded when it is called.
  cli: ["base", "oci", "api", "registry", "compose"],
};

/** Modules that only one folder may import, so that the runtime below us could be changed. */
export const ONLY_IN: Readonly<Record<string, string>> = {
  "bun:ffi": "linux/",
  "bun:sqlite": "store/metadata/",
};
