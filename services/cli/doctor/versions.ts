/** The parts of a component's version. Examples: `24.0.7`, `v1.4.0-rc.3`, `20.10.24+dfsg1`, `1.1.5+ds1-1+deb12u1`. */
export type Version = {
  major: number;
  minor: number;
  patch: number;
  /** The number of the release candidate. Infinite for the release itself, which comes after all candidates. */
  candidate: number;
  /** Whether a suffix shows that a distribution packaged it, perhaps with its own fixes. */
  packaged: boolean;
};

export function parseVersion(text: string): Version | undefined {
  const match = /(?:^|[^\d.])(\d+)\.(\d+)\.(\d+)(\S*)/.exec(text);
  if (!match) return undefined;
  const [, major, minor, patch, rest = ''] = match;
  const candidate = /^-(?:rc|beta|alpha)[.-]?(\d+)/.exec(rest);
  // `-0-g51d5e94` is git's way to say "exactly this tag".
  const suffix = rest.slice(candidate?.[0].length ?? 0).replace(/^-0-g[0-9a-f]+$/, '');
  return {
    major: Number(major),
    minor: Number(minor),
    patch: Number(patch),
    candidate: candidate ? Number(candidate[1]) : Number.POSITIVE_INFINITY,
    packaged: /^[+~-]/.test(suffix),
  };
}

/** Negative if `a` is older than `b`. */
export function compareVersions(a: Version, b: Version): number {
  if (a.major !== b.major) return a.major - b.major;
  if (a.minor !== b.minor) return a.minor - b.minor;
  if (a.patch !== b.patch) return a.patch - b.patch;
  return a.candidate === b.candidate ? 0 : a.candidate - b.candidate;
}

/**
 * Whether this version has a fix that was released on several branches. It has if its own branch got the fix before, or
 * if it is newer than all of them.
 */
export function hasFix(version: Version, fixed: readonly Version[]): boolean {
  const later = fixed.filter((fix) => compareVersions(version, fix) >= 0);
  return (
    later.length === fixed.length ||
    later.some((fix) => fix.major === version.major && fix.minor === version.minor)
  );
}
