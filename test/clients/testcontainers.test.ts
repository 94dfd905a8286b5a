import { guestFile, testGuest } from "./guest.ts";

// Ryuk, the reaper of Testcontainers, is an image of a registry; containers are removed by the facts themselves.
testGuest("Testcontainers", ["node", guestFile("testcontainers.mjs")], {
  TESTCONTAINERS_RYUK_DISABLED: "true",
});
