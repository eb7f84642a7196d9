import { MeshError, type MeshErrorOptions } from '../base/errors.js';

/** A command of a batch failed on the provider. Code `aborted`. */
export class CommandExecutionError extends MeshError {
  /** The command as it was sent, for reading: `run /golem/run/simple_service --stats`. */
  readonly command: string;
  /** Position of the command in its batch, from 0. */
  readonly index: number;
  readonly stdout: string;
  readonly stderr: string;

  constructor(
    command: string,
    detail: { index: number; message?: string; stdout?: string; stderr?: string; cause?: unknown },
  ) {
    const why = detail.message || detail.stderr?.trim() || 'no message given';
    super('aborted', `Command ${detail.index} of the batch failed on the provider: ${command}: ${why}`, detail);
    this.command = command;
    this.index = detail.index;
    this.stdout = detail.stdout ?? '';
    this.stderr = detail.stderr ?? '';
  }
}

/** A batch did not end before its deadline. Code `deadline-exceeded`. */
export class BatchTimeoutError extends MeshError {
  readonly batchId: string;

  constructor(batchId: string, timeoutMs: number) {
    super(
      'deadline-exceeded',
      `Batch ${batchId} did not end within ${Math.round(timeoutMs)} ms; give the script a longer timeoutMs, or shorter commands`,
    );
    this.batchId = batchId;
  }
}

/** The daemon has no account for the payment driver and network that were asked for. Code `failed-precondition`. */
export class NoPaymentAccountError extends MeshError {
  readonly requiredDriver: string;
  readonly requiredNetwork: string;

  constructor(requiredDriver: string, requiredNetwork: string, options: MeshErrorOptions = {}) {
    super(
      'failed-precondition',
      `No payment account for driver "${requiredDriver}" on network "${requiredNetwork}"; run \`yagna payment init --sender\` for it, or choose others by paymentDriver and paymentNetwork`,
      options,
    );
    this.requiredDriver = requiredDriver;
    this.requiredNetwork = requiredNetwork;
  }
}

/** Properties do not fit the model they were read into. Code `invalid-argument`; every fault is listed. */
export class InvalidPropertiesError extends MeshError {
  constructor(model: string, faults: MeshErrorOptions['faults'] & object) {
    super('invalid-argument', `Invalid ${model} properties: ${faults.map((f) => `${f.at}: ${f.message}`).join('; ')}`, {
      faults,
    });
  }
}

/** No image registry answered, or none knows the image. Code `unavailable`. */
export class PackageException extends MeshError {
  constructor(message: string, options: MeshErrorOptions = {}) {
    super('unavailable', message, options);
  }
}
