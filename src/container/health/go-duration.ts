/** `30s`, `1m30s`, `1.5s`, `500ms`: a duration as Go prints it, in the texts that Docker makes of it. */
export function goDuration(durationMs: number): string {
  if (durationMs < 1000) return `${trim(durationMs)}ms`;
  const hours = Math.floor(durationMs / 3_600_000);
  const minutes = Math.floor(durationMs / 60_000) % 60;
  const seconds = trim((durationMs % 60_000) / 1000);
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}

function trim(value: number): string {
  return String(Number(value.toFixed(6)));
}
