import { expect, test } from "bun:test";
import { flagUsages, wrap } from "./help.ts";

test("options are aligned, wrapped and say their defaults, as Docker's help does", () => {
  const text = flagUsages(
    {
      annotation: {
        type: "list",
        metavar: "map",
        defaultText: "map[]",
        help: "Add an annotation to the container (passed through to the OCI runtime)",
      },
      detach: { type: "bool", short: "d", help: "Run container in background and print container ID" },
      sigProxy: { type: "bool", default: true, help: "Proxy received signals to the process" },
      net: { type: "list", hidden: true, help: "Not shown" },
      publish: { type: "list", short: "p", help: "Publish a container's port(s) to the host" },
    },
    60,
  );
  expect(text).toBe(`      --annotation map   Add an annotation to the
                         container (passed through to
                         the OCI runtime) (default map[])
  -d, --detach           Run container in background
                         and print container ID
      --sig-proxy        Proxy received signals to
                         the process (default true)
  -p, --publish list     Publish a container's
                         port(s) to the host`);
});

test("a line may go over by a short word rather than leave it alone on the next", () => {
  expect(wrap(0, 40, "aaaaaaaaaa bbbbbbbbbb cccccccccc dddd")).toBe("aaaaaaaaaa bbbbbbbbbb cccccccccc dddd");
});

test("line breaks of the text itself are kept and indented", () => {
  expect(wrap(4, 80, "one\ntwo")).toBe("one\n    two");
});

test("a screen too narrow to wrap for is not wrapped for", () => {
  expect(wrap(30, 30, "some long help that goes on and on")).toBe("some long help that goes on and on");
});
