import { userInfo } from 'node:os';
import { fileURLToPath } from 'node:url';
import { run } from './run.ts';
import { type Say, step } from './say.ts';
import { findTool } from './tools.ts';

/** A program that is needed, and the Debian packages that contain it. Any one of `names` is enough. */
export interface Tool {
  names: [string, ...string[]];
  packages: [string, ...string[]];
}

const installScript = fileURLToPath(new URL('apt-install.sh', import.meta.url));

/**
 * Makes sure that these programs are installed. Missing ones are installed with apt, and this is reported. Returns their paths, in order.
 */
export async function ensureTools(tools: Tool[], say: Say): Promise<string[]> {
  const missing = tools.filter((tool) => findTool(...tool.names) === undefined);
  if (missing.length > 0) await installPackages([...new Set(missing.flatMap((tool) => tool.packages))], say);
  return tools.map((tool) => {
    const path = findTool(...tool.names);
    if (path === undefined) {
      throw new Error(
        `'${tool.names.join("' or '")}' is still missing after installing ${tool.packages.join(', ')}.`,
      );
    }
    return path;
  });
}

/** The last install of this process. The next one waits for it, since two installs would only block each other. */
let lastInstall: Promise<void> = Promise.resolve();

/** Installs Debian packages, as root or through a sudo that asks for no password. */
export function installPackages(packages: string[], say: Say): Promise<void> {
  const installed = lastInstall.then(() => install(packages, say));
  lastInstall = installed.catch(() => {});
  return installed;
}

async function install(packages: string[], say: Say): Promise<void> {
  const command = [...(await privilege(packages)), 'sh', installScript, ...packages];
  await step(say, `Installing ${packages.join(', ')} (apt-get)`, async () => {
    const result = await run(command[0] ?? 'sh', command.slice(1), { allowFailure: true });
    if (result.code === 0) return;
    const said = (result.stderr.trim() || result.stdout.trim()).slice(-1_500);
    throw new Error(
      `apt-get could not install ${packages.join(', ')}:\n${said}\n` +
        `Install them by hand, then try again:\n  ${installCommand(packages)}`,
    );
  });
}

/** The command that a user would type. */
export function installCommand(packages: string[]): string {
  return `sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages.join(' ')}`;
}

/** What to put before a command to run it as root: nothing, or sudo. If neither works, it throws an error that says what to type. */
async function privilege(packages: string[]): Promise<string[]> {
  const needed = packages.join(', ');
  if (findTool('apt-get') === undefined) {
    throw new Error(
      `Runlet needs what these Debian packages hold, and this system has no apt-get: ${needed}. ` +
        'Install the same programs with your package manager, then try again.',
    );
  }
  if (userInfo().uid === 0) return [];
  const sudo = findTool('sudo');
  if (sudo !== undefined && (await run(sudo, ['-n', 'true'], { allowFailure: true })).code === 0)
    return [sudo, '-n'];
  throw new Error(
    `Runlet needs these packages: ${needed}. Installing them takes root. Run this, then try again:\n` +
      `  ${installCommand(packages)}`,
  );
}
