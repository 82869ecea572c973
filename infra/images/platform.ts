/** The names of architectures in images, by Node's names. */
const architectures: Record<string, string> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  ppc64: 'ppc64le',
  s390x: 's390x',
};

export const nativeArchitecture = architectures[process.arch] ?? process.arch;

/** An architecture other than this machine's. */
export const foreignArchitecture = nativeArchitecture === 'arm64' ? 'amd64' : 'arm64';
