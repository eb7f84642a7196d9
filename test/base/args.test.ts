import fc from 'fast-check';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { arg, parseArgs } from '../../src/base/args.js';
import { MeshError } from '../../src/base/errors.js';

const schema = {
  rate: arg.number({ min: 0.001, max: 10_000, unit: 'Hz', description: 'samples of each task' }),
  numTasks: arg.integer({ min: 1, default: 1 }),
  mode: arg.string({ choices: ['fast', 'slow'], default: 'fast' }),
  residual: arg.string({ optional: true }),
  dry: arg.boolean({ default: false }),
};

const read = (...args: string[]) => parseArgs(args, schema, { at: 'agent-1' });

function faults(...args: string[]): string[] {
  try {
    read(...args);
  } catch (error) {
    if (error instanceof MeshError && error.code === 'invalid-argument')
      return error.faults.map(({ message }) => message);
    throw error;
  }
  return [];
}

describe('parseArgs', () => {
  it('types what it reads', () => {
    const args = read('rate=5', 'num_tasks=10', 'residual=storage/residual');
    expect(args).toEqual({ rate: 5, numTasks: 10, mode: 'fast', residual: 'storage/residual', dry: false });
    expectTypeOf(args.rate).toEqualTypeOf<number>();
    expectTypeOf(args.numTasks).toEqualTypeOf<number>();
    expectTypeOf(args.mode).toEqualTypeOf<'fast' | 'slow'>();
    expectTypeOf(args.residual).toEqualTypeOf<string | undefined>();
    expectTypeOf(args.dry).toEqualTypeOf<boolean>();
    expectTypeOf(args.program).toEqualTypeOf<string | undefined>();
  });

  it.each([
    [['rate=5', 'num_tasks=3']],
    [['--rate=5', '--num-tasks=3']],
    [['--rate', '5', '--num-tasks', '3']],
    [['--num_tasks', '3', 'rate=5.0']],
  ])('reads the forms %j alike', (args) => {
    expect(read(...args)).toMatchObject({ rate: 5, numTasks: 3 });
  });

  it('takes a flag alone for true, and leaves the next arg alone', () => {
    expect(read('--dry', 'rate=5').dry).toBe(true);
    expect(read('--dry', 'false', 'rate=5').dry).toBe(false);
    expect(read('dry=true', 'rate=5').dry).toBe(true);
  });

  it('splits at the first equals sign, and takes negative numbers for values', () => {
    expect(read('rate=1', 'residual=a=b').residual).toBe('a=b');
    expect(faults('--rate', '-5')).toEqual(['arg rate=-5 is below the least, 0.001 Hz (samples of each task, in Hz)']);
  });

  it('knows program everywhere', () => {
    expect(read('rate=1', 'program=agent').program).toBe('agent');
  });

  it('says what is wrong with a value', () => {
    expect(faults('rate=abc')).toEqual(['arg rate=abc is not a number of Hz (samples of each task, in Hz)']);
    expect(faults('rate=')).toEqual(['arg rate= is empty (samples of each task, in Hz)']);
    expect(faults('rate=Infinity')).toHaveLength(1);
    expect(faults('rate=0x10')).toHaveLength(1);
    expect(faults('rate=99999')[0]).toContain('above the most, 10000 Hz');
    expect(faults('rate=1', 'num_tasks=1.5')).toEqual(['arg num_tasks=1.5 is not a whole number']);
    expect(faults('rate=1', 'mode=fsat')).toEqual(['arg mode=fsat is not one of "fast", "slow"; did you mean "fast"?']);
    expect(faults('rate=1', 'dry=maybe')).toEqual(['arg dry=maybe is neither true nor false']);
    expect(faults('--rate')).toEqual(['arg rate has no value; write rate=1.5']);
    expect(faults('--rate', 'num_tasks=3')).toEqual(['arg rate has no value; write rate=1.5']);
  });

  it('tells of everything at once, with the service and suggestions', () => {
    expect(() => read('num_task=3', 'dry=x', 'dry=y', 'loose')).toThrow(
      [
        'agent-1: 5 faults',
        '"loose" is not an arg; write key=value',
        'unknown arg "num_task"; did you mean "num_tasks"?',
        'arg dry=x is neither true nor false',
        'arg dry is given twice, as "x" and "y"; keep one',
        'arg rate is missing; add rate=1.5 (samples of each task, in Hz)',
      ].join('\n  '),
    );
  });

  it('lists the args there are when none is near', () => {
    expect(faults('rate=1', 'zzzzzzzz=1')[0]).toBe(
      'unknown arg "zzzzzzzz"; it takes "program", "rate", "num_tasks", "mode", "residual", "dry"',
    );
  });

  it('raises nothing but MeshError, whatever it is given', () => {
    const word = fc.oneof(fc.string(), fc.constantFrom('--rate', 'rate=1', '--', '=', '--=', '__proto__=1', '--dry'));
    fc.assert(
      fc.property(fc.array(word), (args) => {
        try {
          expect(Number.isFinite(read(...args).rate)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(MeshError);
          expect((error as MeshError).faults).not.toHaveLength(0);
        }
      }),
    );
  });
});
