import { describe, expect, it } from 'vitest';
import list from '../../services/cli/doctor/advisories.json' with { type: 'json' };
import { findingsFor } from '../../services/cli/doctor/advisories.ts';
import { compareVersions, hasFix, parseVersion, type Version } from '../../services/cli/doctor/versions.ts';

const version = (text: string): Version => {
  const parsed = parseVersion(text);
  if (parsed === undefined) throw new Error(`${text} is no version`);
  return parsed;
};
const ids = (component: 'docker' | 'runc', text: string) =>
  findingsFor(component, text)?.flatMap(({ advisory }) => advisory.ids);

describe('versions', () => {
  it.each([
    ['24.0.7', false],
    ['v1.4.0-rc.3', false],
    ['v1.1.12-0-g51d5e946', false],
    ['20.10.24+dfsg1', true],
    ['1.1.5+ds1-1+deb12u1', true],
    ['1.1.12-0ubuntu3~22.04.1', true],
    ['1.1.12-3-gabcdef0', true],
  ])('%s: packaged %s', (text, packaged) => expect(version(text).packaged).toBe(packaged));

  it('come in order, candidates before the release', () => {
    const order = ['1.1.12', '1.2.0-rc.1', '1.2.0-rc.10', '1.2.0', '1.2.8', '1.10.0', '23.0.1'].map(version);
    expect(order.toSorted(compareVersions)).toEqual(order);
    expect(parseVersion('unknown')).toBeUndefined();
  });

  it('have a fix on their own branch or after all of them', () => {
    const fixed = ['1.2.8', '1.3.3', '1.4.0-rc.3'].map(version);
    const has = (text: string) => hasFix(version(text), fixed);
    expect(['1.2.8', '1.2.9', '1.3.3', '1.4.0-rc.3', '1.4.0', '1.5.1', '2.0.0'].map(has)).not.toContain(
      false,
    );
    expect(['1.1.15', '1.2.7', '1.3.0', '1.3.2', '1.4.0-rc.2'].map(has)).not.toContain(true);
  });
});

describe('advisories', () => {
  it('name a component that is looked at, well-formed ids and readable versions', () => {
    for (const { component, ids: names, fixed, effect, remedy, source } of list) {
      expect(['docker', 'runc']).toContain(component);
      for (const id of names) expect(id).toMatch(/^CVE-\d{4}-\d{4,}$/);
      expect(fixed.map(parseVersion)).not.toContain(undefined);
      expect([effect, remedy].every((text) => text.endsWith('.'))).toBe(true);
      expect(URL.canParse(source)).toBe(true);
    }
  });

  it('tell old from fixed', () => {
    expect(ids('runc', '1.1.11')).toContain('CVE-2024-21626');
    expect(ids('runc', '1.1.12')).not.toContain('CVE-2024-21626');
    expect(ids('runc', '1.1.12')).toContain('CVE-2025-31133');
    expect(ids('runc', '1.3.6')).toEqual([]);
    expect(ids('runc', '1.5.0')).toEqual([]);
    expect(ids('docker', '27.1.0')).toContain('CVE-2024-41110');
    expect(ids('docker', '26.1.5')).not.toContain('CVE-2024-41110');
    expect(ids('docker', '24.0.9')).toContain('CVE-2024-23653');
    expect(ids('docker', '24.0.9')).not.toContain('CVE-2024-24557');
    expect(ids('docker', '28.1.1')).not.toContain('CVE-2025-54388');
    expect(ids('docker', '28.3.2')).toContain('CVE-2025-54388');
    expect(ids('docker', '29.9.0')).toEqual([]);
  });

  it('know a distribution’s package by its suffix', () => {
    expect(findingsFor('runc', '1.1.5+ds1-1+deb12u1')?.every(({ packaged }) => packaged)).toBe(true);
    expect(findingsFor('runc', 'built from source')).toBeUndefined();
  });
});
