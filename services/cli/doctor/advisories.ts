import list from './advisories.json' with { type: 'json' };
import { compareVersions, hasFix, parseVersion, type Version } from './versions.ts';

export type Component = 'docker' | 'runc';

/** One entry of advisories.json. `fixed` names the first fixed version of each branch. */
type Advisory = {
  component: string;
  ids: string[];
  introduced?: string;
  fixed: string[];
  /** Whether a program that Runlet runs can reach it. If not, it matters only for other uses of the same engine. */
  reachable: boolean;
  effect: string;
  remedy: string;
  /** The source of these facts, for whoever updates this file. */
  source: string;
};

export type Finding = { advisory: Advisory; packaged: boolean };

/** What is publicly known against a version. `undefined` if the version cannot be parsed. */
export function findingsFor(component: Component, version: string): Finding[] | undefined {
  const parsed = parseVersion(version);
  if (parsed === undefined) return undefined;
  return (list as Advisory[])
    .filter((advisory) => advisory.component === component && affects(advisory, parsed))
    .map((advisory) => ({ advisory, packaged: parsed.packaged }));
}

function affects(advisory: Advisory, version: Version): boolean {
  const introduced = advisory.introduced === undefined ? undefined : parseVersion(advisory.introduced);
  if (introduced && compareVersions(version, introduced) < 0) return false;
  const fixed = advisory.fixed.map(parseVersion).filter((fix) => fix !== undefined);
  return !hasFix(version, fixed);
}
