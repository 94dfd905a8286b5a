/** Media types that name images and their parts. OCI image-spec, media-types.md; Docker's older names beside them. */
export const MEDIA_TYPE = {
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
  ociLayerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  ociLayerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  dockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar",
  dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  dockerLayerZstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
} as const;

/** Layers that lie elsewhere than in the registry, at addresses that their descriptors name. */
const FOREIGN = {
  oci: "application/vnd.oci.image.layer.nondistributable.v1.tar",
  ociGzip: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
  ociZstd: "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
  dockerGzip: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
} as const;

export function isForeignLayer(mediaType: string): boolean {
  return Object.values<string>(FOREIGN).includes(mediaType);
}

export function isIndex(mediaType: string): boolean {
  return mediaType === MEDIA_TYPE.ociIndex || mediaType === MEDIA_TYPE.dockerIndex;
}

export function isManifest(mediaType: string): boolean {
  return mediaType === MEDIA_TYPE.ociManifest || mediaType === MEDIA_TYPE.dockerManifest;
}

export type Compression = "none" | "gzip" | "zstd";

/** How a layer's bytes are compressed, or `undefined` when the media type is no layer we can read. */
export function layerCompression(mediaType: string): Compression | undefined {
  switch (mediaType) {
    case MEDIA_TYPE.ociLayer:
    case MEDIA_TYPE.dockerLayer:
    case FOREIGN.oci:
      return "none";
    case MEDIA_TYPE.ociLayerGzip:
    case MEDIA_TYPE.dockerLayerGzip:
    case FOREIGN.ociGzip:
    case FOREIGN.dockerGzip:
      return "gzip";
    case MEDIA_TYPE.ociLayerZstd:
    case MEDIA_TYPE.dockerLayerZstd:
    case FOREIGN.ociZstd:
      return "zstd";
    default:
      return undefined;
  }
}
