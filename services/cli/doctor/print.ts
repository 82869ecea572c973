import type { Context } from '../context.ts';
import type { Colors } from '../output/colors.ts';
import { printable } from '../output/harmless.ts';
import { wrap } from '../output/wrap.ts';
import type { Check, CheckStatus } from './check.ts';

/** The worst status of all checks. */
export function summarise(checks: readonly Check[]): 'ok' | 'warning' | 'failed' {
  if (checks.some(({ status }) => status === 'failed')) return 'failed';
  return checks.some(({ status }) => status === 'warning') ? 'warning' : 'ok';
}

/** Where a line's text begins: after the status. */
const indent = ' '.repeat(9);

/** All checks and, as the last line, how many there are of each status. Without `cve` there is one line for all advisories of a version. */
export async function printChecks(
  all: readonly Check[],
  { out, colors }: Context,
  cve: boolean,
): Promise<void> {
  const checks = cve ? all : together(all);
  const width = out.isTTY ? out.stream.columns : undefined;
  for (const { name, status, detail, remedy } of checks) {
    const text = wrap(`${printable(name)}: ${printable(detail)}`, width, indent);
    const named = text.startsWith(name) ? `${colors.bold(name)}${text.slice(name.length)}` : text;
    await out.line(`${paint(colors, status)(status.padEnd(7))}  ${named}`);
    if (remedy !== null) await out.line(`${indent}${wrap(`→ ${printable(remedy)}`, width, `${indent}  `)}`);
  }
  await out.line(counts(checks));
}

/** Advisories of one version on one worker as one check. */
function together(checks: readonly Check[]): Check[] {
  const groups = Map.groupBy(checks, (check) =>
    check.advised === undefined ? check : `${check.name} ${check.advised}`,
  );
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first?.advised === undefined || group.length === 1) return group;
    const failed = group.filter(({ status }) => status === 'failed').length;
    const reach = failed > 0 ? ` (a run can reach ${failed} of them)` : '';
    const detail = `${first.advised}: ${group.length} advisories${reach}, \`runlet doctor --cve\` shows them`;
    return [{ name: first.name, status: summarise(group), detail, remedy: null }];
  });
}

const order: readonly CheckStatus[] = ['ok', 'warning', 'failed', 'skipped'];

/** `8 ok, 1 warning`. */
function counts(checks: readonly Check[]): string {
  return order
    .flatMap((status) => {
      const count = checks.filter((check) => check.status === status).length;
      const plural = status === 'warning' && count > 1 ? 's' : '';
      return count === 0 ? [] : [`${count} ${status}${plural}`];
    })
    .join(', ');
}

function paint(colors: Colors, status: CheckStatus): (text: string) => string {
  const paints = { ok: colors.green, warning: colors.yellow, failed: colors.red, skipped: colors.dim };
  return paints[status];
}
