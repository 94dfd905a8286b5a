import { guestFile, testGuest } from "./guest.ts";

testGuest("dockerode", ["node", guestFile("dockerode.mjs")]);
