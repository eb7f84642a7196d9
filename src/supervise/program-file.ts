import { existsSync, statSync } from 'node:fs';
import { dirname, extname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MeshError } from '../base/errors.js';
import { programOf, statedProgram } from '../config/service.js';
import type { ServiceConfig } from '../config/types.js';
import { shippedProtos } from '../messages/proto-directory.js';

/** A program that runs a service. */
export interface ProgramFile {
  /** Absolute path. */
  readonly file: string;
  readonly language: ProgramLanguage;
}

export type ProgramLanguage = 'javascript' | 'typescript' | 'python';

const languages: Readonly<Record<string, ProgramLanguage>> = {
  '.js': 'javascript',
  '.mjs': 'javascript',
  '.ts': 'typescript',
  '.py': 'python',
};

/**
 * The program of a service. Its `program=` arg is a path from the configuration's folder when it has a slash or a file
 * extension, else a name; without one the name is the service's, less a final `-N`. A name is looked up in the folder
 * `services` beside the configuration, then among the programs that come with furrow.
 *
 * @throws MeshError `not-found`, with the places looked at; `invalid-argument` for a language that furrow does not run
 */
export function findProgram(service: ServiceConfig, configFile: string): ProgramFile {
  const folder = dirname(resolve(configFile));
  const stated = statedProgram(service);
  const named = stated === undefined || !(stated.includes('/') || extname(stated) in languages);
  const places = named ? placesOf(programOf(service), folder) : [resolve(folder, stated)];
  const file = places.find(isFile);
  if (file === undefined) {
    const looked = places.map((place) => shortest(place)).join(', ');
    const advice = named
      ? 'write one, name another with program=… in its args, or leave the service out with --without'
      : 'program= is a path from the folder of the configuration';
    throw new MeshError('not-found', `"${service.name}" has no program: looked for ${looked}; ${advice}`);
  }
  const language = languages[extname(file)];
  if (language === undefined) {
    const known = Object.keys(languages).join(', ');
    throw new MeshError('invalid-argument', `"${service.name}": ${shortest(file)} is not a program of ${known}`);
  }
  return { file, language };
}

function placesOf(name: string, folder: string): readonly string[] {
  const own = join(folder, 'services');
  const beside = Object.keys(languages).map((extension) => join(own, name + extension));
  // This file runs compiled from dist/src, or as it is from src; the programs lie beside that.
  const extension = extname(fileURLToPath(import.meta.url));
  const shipped = join(fileURLToPath(new URL('../../services', import.meta.url)), name + extension);
  // In a checkout of furrow that folder holds the sources of the shipped ones, and the compiled ones start faster.
  const isCheckout = own === join(dirname(shippedProtos()), 'services');
  return [...new Set(isCheckout ? [shipped, ...beside] : [...beside, shipped])];
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

function shortest(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.length < path.length ? fromHere : path;
}
