/** True for an IPv4 or IPv6 address; `node:net` would cost 2 ms of start-up for this. */
export function isAddress(text: string): boolean {
  return isIpv4(text) || isIpv6(text);
}

function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

function isIpv6(text: string): boolean {
  const [address = "", zone] = text.split("%");
  if (zone === "" || address.split("::").length > 2) return false;
  const groups = address.split("::").flatMap((side) => (side === "" ? [] : side.split(":")));
  const last = groups.at(-1) ?? "";
  const isMixed = last.includes(".");
  if (isMixed && !isIpv4(last)) return false;
  const hex = isMixed ? groups.slice(0, -1) : groups;
  const count = hex.length + (isMixed ? 2 : 0);
  const hasGap = address.includes("::");
  return hex.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group)) && (hasGap ? count < 8 : count === 8);
}
