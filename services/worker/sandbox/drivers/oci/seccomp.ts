type DockerProfile = {
  defaultAction: string;
  defaultErrnoRet?: number;
  archMap: { architecture: string; subArchitectures?: string[] | null }[];
  syscalls: object[];
};

/** By this program's `process.arch`. */
const architectures: Partial<Record<NodeJS.Architecture, string>> = {
  x64: 'SCMP_ARCH_X86_64',
  arm64: 'SCMP_ARCH_AARCH64',
  riscv64: 'SCMP_ARCH_RISCV64',
  s390x: 'SCMP_ARCH_S390X',
};

/** A profile in the Engine's format, in that of the OCI runtime specification. */
export function ociSeccomp(profile: string, arch: NodeJS.Architecture = process.arch): object {
  const { defaultAction, defaultErrnoRet, archMap, syscalls } = JSON.parse(profile) as DockerProfile;
  const native = architectures[arch];
  const found = archMap.find(({ architecture }) => architecture === native);
  if (found === undefined) throw new Error(`the seccomp profile is not for ${arch}`);
  return {
    defaultAction,
    ...(defaultErrnoRet !== undefined && { defaultErrnoRet }),
    architectures: [found.architecture, ...(found.subArchitectures ?? [])],
    syscalls,
  };
}
