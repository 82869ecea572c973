// Exits 0 when node_modules holds what package-lock.json names. Runs on the system's Node, before ours is installed:
// plain JavaScript of the old kind, no dependency.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

const root = process.argv[2] ?? '.';
try {
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const present = JSON.parse(readFileSync(join(root, 'node_modules/.package-lock.json'), 'utf8')).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue;
    const found = present[path];
    // Optional packages may be for another platform, or left out on purpose.
    if (found ? found.version !== entry.version : !(entry.optional || entry.peer)) process.exit(1);
  }
} catch {
  process.exit(1);
}
