import { expect, test } from "bun:test";
import { publishRule } from "./publish-rules.ts";
import type { Publication } from "./publish-rules.ts";

const web: Publication = {
  protocol: "tcp",
  hostIp: "0.0.0.0",
  hostPort: 8080,
  address: "172.19.0.2",
  containerPort: 80,
  comment: "web",
};
const web6: Publication = { ...web, hostIp: "::", address: "fd00:19::2" };

const RULES: readonly (readonly [Publication, string])[] = [
  [web, 'tcp dport 8080 dnat ip to 172.19.0.2:80 comment "web"'],
  [
    { ...web, hostIp: "192.0.2.2", protocol: "udp" },
    'ip daddr 192.0.2.2 udp dport 8080 dnat ip to 172.19.0.2:80 comment "web"',
  ],
  [{ ...web, protocol: "sctp" }, 'sctp dport 8080 dnat ip to 172.19.0.2:80 comment "web"'],
  [web6, 'ip6 saddr != { ::1, fe80::/10 } tcp dport 8080 dnat ip6 to [fd00:19::2]:80 comment "web"'],
  [
    { ...web6, hostIp: "2001:db8::1" },
    'ip6 saddr != { ::1, fe80::/10 } ip6 daddr 2001:db8::1 tcp dport 8080 dnat ip6 to [fd00:19::2]:80 comment "web"',
  ],
];

for (const [publication, rule] of RULES) {
  test(`${publication.hostIp} ${publication.protocol} to ${publication.address}`, () => {
    expect(publishRule(publication)).toBe(rule);
  });
}
