import { DEFAULT_ROOT, type FlagTable } from "./options.ts";

export const SERVE_FLAGS: FlagTable = {
  "gc-grace": { type: "string" },
  "gc-interval": { type: "string" },
  "gc-untagged": { type: "boolean" },
  htpasswd: { type: "string" },
  listen: { type: "string" },
  "log-level": { type: "string" },
  "max-blob-size": { type: "string" },
  "max-manifest-size": { type: "string" },
  "max-uploads": { type: "string" },
  "metrics-listen": { type: "string" },
  "no-delete": { type: "boolean" },
  quota: { type: "string" },
  "read-only": { type: "boolean" },
  realm: { type: "string" },
  "repository-quota": { type: "string" },
  root: { type: "string" },
  "tls-cert": { type: "string" },
  "tls-client-ca": { type: "string" },
  "tls-key": { type: "string" },
  "token-issuer": { type: "string" },
  "token-jwks": { type: "string" },
  "token-realm": { type: "string" },
  "token-roots": { type: "string" },
  "token-service": { type: "string" },
  "upload-expiry": { type: "string" },
  upstream: { type: "string" },
  "upstream-fresh": { type: "string" },
  "upstream-insecure": { type: "boolean" },
  "upstream-keep": { type: "string" },
  "upstream-password-file": { type: "string" },
  "upstream-user": { type: "string" },
};

export const SERVE_USAGE = `Usage:  darse registry serve [OPTIONS]

Run a registry in the foreground

Options:
      --gc-grace duration         What was pushed or asked for within this is kept (default 1h)
      --gc-interval duration      Collect garbage this often (default: only by darse registry gc)
      --gc-untagged               Such collections remove manifests that no tag reaches, too
      --htpasswd string           File of users with bcrypt passwords, who may do everything
      --listen address            HOST:PORT to listen on (default 127.0.0.1:5000)
      --log-level string          debug, info, warn or error (default "info")
      --max-blob-size bytes       Largest blob that is taken (default 128g)
      --max-manifest-size bytes   Largest manifest that is taken, up to 4m (default 4m)
      --max-uploads int           Blobs taken at the same time (default 64)
      --metrics-listen address    HOST:PORT for /metrics alone, open to all who reach it
      --no-delete                 Refuse to delete tags, manifests and blobs
      --quota bytes               Most that all blobs together may have
      --read-only                 Refuse every change
      --realm string              What clients are told that they log in to, with --htpasswd (default "darse registry")
      --repository-quota bytes    Most that what one repository has may have
      --root string               Folder of the registry's files (default "${DEFAULT_ROOT}")
      --tls-cert string           File of the certificate, with its chain (PEM)
      --tls-client-ca string      File of the authorities that sign clients' certificates, then asked for (PEM)
      --tls-key string            File of the certificate's key (PEM)
      --token-issuer string       Who issues tokens: their iss
      --token-jwks string         File of the keys that sign tokens (JWK set)
      --token-realm string        Address where clients get tokens
      --token-roots string        File of the certificates that sign tokens, or their signers' (PEM)
      --token-service string      What this registry is called there: their aud
      --upload-expiry duration    Uploads that were left so long are dropped (default 24h)
      --upstream string           Be a cache of this registry, named as in images: docker.io, HOST:PORT
      --upstream-fresh duration   How long a tag is not asked about again (default 1m)
      --upstream-insecure         Speak to it by plain HTTP, or by TLS that nobody vouches for
      --upstream-keep duration    Drop what nobody has asked for in so long (default: keep everything)
      --upstream-password-file string   File of the password to log in to it with
      --upstream-user string      Who to log in to it as
`;
