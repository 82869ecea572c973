import type { Context } from '../context.ts';
import type { Colors } from '../output/colors.ts';
import { printable } from '../output/harmless.ts';
import type { Check, CheckStatus } from './check.ts';

/** The worst status of all checks. */
export function summarise(checks: readonly Check[]): 'ok' | 'warning' | 'failed' {
  if (checks.some(({ status }) => status === 'failed')) return 'failed';
  return checks.some(({ status }) => status === 'warning') ? 'warning' : 'ok';
}

export async function printChecks(checks: readonly Check[], { out, colors }: Context): Promise<void> {
  for (const { name, status, detail, remedy } of checks) {
    await out.line(
      `${paint(colors, status)(status.padEnd(7))}  ${colors.bold(printable(name))}: ${printable(detail)}`,
    );
    if (remedy !== null) await out.line(`         → ${printable(remedy)}`);
  }
}

function paint(colors: Colors, status: CheckStatus): (text: string) => string {
  const paints = { ok: colors.green, warning: colors.yellow, failed: colors.red, skipped: colors.dim };
  return paints[status];
}
