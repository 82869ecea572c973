// Exits with 0 if node_modules has what package-lock.json names. It runs on the system's Node, before ours is installed.
// So it is plain, old-style JavaScript without dependencies.
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
