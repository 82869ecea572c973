import { buildImage } from '../../infra/images/build.ts';

/** Images that take a while to build, in the order in which the suite needs them. (Rare languages are for RUNLET_TEST_LANGUAGES=all.) */
const images = [
  'debian',
  'python',
  'nginx',
  'node',
  'gcc',
  'redis',
  'mariadb',
  'golang',
  'java',
  'rust',
  'ruby',
  'php',
  'perl',
  'lua',
  'gawk',
  'registry',
];

const [cache = ''] = process.argv.slice(2);
for (const name of images) {
  // A test that needs it builds it itself, and fails with the reason.
  await buildImage(name, cache, (line) => console.log(`lab: ${line}`)).catch((error: Error) =>
    console.error(`lab: ${name} was not built ahead: ${error.message}`),
  );
}
