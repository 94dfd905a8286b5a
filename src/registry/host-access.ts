import { getCACertificates } from "node:tls";
import { readHostFolder } from "./host-folder.ts";
import { isInsecure } from "./insecure.ts";
import { proxyFor } from "./proxy.ts";
import type { RegistrySettings } from "./settings.ts";

/** What a TLS connection is made with, beyond what every one is. */
export interface TlsSettings {
  /** PEM, trusted beside the well-known ones. */
  readonly authorities: readonly string[];
  readonly client?: { readonly certificate: string; readonly key: string } | undefined;
  /** Whoever answers is believed. */
  readonly skipVerify: boolean;
}

export const VERIFIED: TlsSettings = { authorities: [], skipVerify: false };

/** The TLS options of Bun's `fetch`. */
export interface FetchTls {
  readonly ca?: readonly string[];
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized?: false;
}

/**
 * How hosts are connected to, for one piece of work: what the settings and files say of a host is read once. Hosts are
 * told apart by name and port; what one is trusted with, or shown, no other is.
 */
export class HostAccess {
  readonly settings: RegistrySettings;
  readonly #tls = new Map<string, Promise<TlsSettings>>();

  constructor(settings: RegistrySettings) {
    this.settings = settings;
  }

  /** Sets what was learnt elsewhere of a host (`hosts.toml` says it of mirrors). */
  declare(host: string, tls: TlsSettings): void {
    this.#tls.set(host, Promise.resolve(tls));
  }

  mayBePlain(host: string): boolean {
    return isInsecure(host, this.settings.insecure);
  }

  proxyFor(url: URL): string | undefined {
    return proxyFor(url, this.settings.proxies);
  }

  /** @throws {EngineError} invalid when a file about the host cannot be read as what it should be */
  async tlsFor(host: string): Promise<FetchTls | undefined> {
    const known = this.#tls.get(host) ?? this.#read(host);
    this.#tls.set(host, known);
    const { authorities, client, skipVerify } = await known;
    if (authorities.length === 0 && !client && !skipVerify) return undefined;
    return {
      ...(authorities.length > 0 && { ca: [...getCACertificates("default"), ...authorities] }),
      ...(client && { cert: client.certificate, key: client.key }),
      ...(skipVerify && { rejectUnauthorized: false }),
    };
  }

  async #read(host: string): Promise<TlsSettings> {
    const folder = await readHostFolder(host, this.settings.hostFolders);
    const server = folder?.server?.api?.host ?? host;
    const tls = folder && server === host ? folder.tls : VERIFIED;
    // who gave an authority for a loopback host wants to know who answers there
    const isBelieved = this.mayBePlain(host) && tls.authorities.length === 0;
    return { ...tls, skipVerify: tls.skipVerify || isBelieved };
  }
}
