/** Architectures as uname names them, and as image manifests do. */
const architectures: Record<string, string> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  armv7l: 'arm',
  armv6l: 'arm',
  i386: '386',
  i686: '386',
};

export function normalArchitecture(name: string): string {
  return architectures[name] ?? name;
}
