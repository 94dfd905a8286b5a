/** `Less than a second`, `2 minutes`, `About an hour`, `3 weeks`: docker/go-units `HumanDuration`. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / 60);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.floor(ms / 3_600_000 + 0.5);
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}

/** `2026-01-02 15:04:05 +0000 UTC`, as Go prints a time in the local zone. The first call costs 6 ms (time zone data). */
export function goTime(epochMs: number): string {
  const date = new Date(epochMs);
  const offset = -date.getTimezoneOffset();
  const local = new Date(epochMs + offset * 60_000).toISOString();
  const digits = (value: number): string => String(Math.floor(Math.abs(value))).padStart(2, "0");
  const zone = `${offset < 0 ? "-" : "+"}${digits(offset / 60)}${digits(offset % 60)}`;
  return `${local.slice(0, 10)} ${local.slice(11, 19)} ${zone} ${zoneName(date, offset)}`;
}

function zoneName(date: Date, offset: number): string {
  if (offset === 0) return "UTC";
  const parts = new Intl.DateTimeFormat("en", { timeZoneName: "short" }).formatToParts(date);
  return parts.find((part) => part.type === "timeZoneName")?.value ?? "";
}
