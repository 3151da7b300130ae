/**
 * Where in an ES module a syntax error is. Node.js tells that of errors which nobody catches only;
 * so it is asked to parse the modules once more, in a process of its own.
 */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const FILES_MAX = 200; // that are looked into
const CHECK_MS_MAX = 5_000;
const IMPORTED = /\b(?:from|import)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g;
const CHECK = `
  const { readFileSync } = require('node:fs');
  const { SourceTextModule } = require('node:vm');
  for (const [file, identifier] of JSON.parse(process.argv[1])) {
    new SourceTextModule(readFileSync(file, 'utf8'), { identifier });
  }`;

/**
 * Return the stack of `error` with the place above it (`file:///.../a.mjs:2`, the line, a mark),
 * as it is for CommonJS. `file` is what was loaded, if it is known; it may be another module, which
 * it imports, that has the error. Where no place is found, the stack is returned as it is.
 */
export function stackWithPlace(error, file) {
  const stack = String(error.stack);
  if (!stack.startsWith(String(error)) || !isModule(file)) return stack; // the place is there
  const modules = reachable(file).map((each) => [each, pathToFileURL(each).href]);
  const flags = ['--no-warnings', '--experimental-vm-modules'];
  const { stderr } = spawnSync(
    process.execPath,
    [...flags, '--eval', CHECK, JSON.stringify(modules)],
    { encoding: 'utf8', timeout: CHECK_MS_MAX },
  );
  const [place, found] = String(stderr ?? '').split(`\n${error}\n`, 2);
  return found === undefined ? stack : `${place}\n${stack}`;
}

/** Return `file` and the modules that it imports by relative paths, and so on. */
function reachable(file) {
  const found = new Set([file]);
  for (const each of found) {
    for (const [, name] of fs.readFileSync(each, 'utf8').matchAll(IMPORTED)) {
      const imported = path.resolve(path.dirname(each), name);
      if (found.size < FILES_MAX && isModule(imported)) found.add(imported);
    }
  }
  return [...found];
}

function isModule(file) {
  return /\.m?js$/.test(file ?? '') && fs.existsSync(file);
}
