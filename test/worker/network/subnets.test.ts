import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { subnetPool } from '../../../services/worker/network/subnets.ts';

describe('the egress pool', () => {
  it('gives aligned /29 subnets, all inside of it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 8, max: 29 }), (bits) => {
        const subnet = subnetPool(`10.213.77.201/${bits}`).pick();
        const number = (text: string) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
        const address = number(subnet.replace('/29', ''));
        const size = 2 ** (32 - bits);
        expect(address % 8).toBe(0);
        expect(Math.floor(address / size)).toBe(Math.floor(number('10.213.77.201') / size));
      }),
    );
  });

  it.each(['10.0.0.0', '10.0.0.0/30', '10.0.0/16', 'x/16', '10.0.0.0/4'])('refuses %s', (cidr) => {
    expect(() => subnetPool(cidr)).toThrow('egress pool');
  });
});
