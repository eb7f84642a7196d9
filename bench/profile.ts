import { writeFileSync } from 'node:fs';
import { type Profiler, Session } from 'node:inspector';

/** A CPU profile of this process from now until `write`: only what is measured, without the start of the process. */
export class Profile {
  private readonly session = new Session();

  async start(): Promise<void> {
    this.session.connect();
    await this.post('Profiler.enable');
    await this.post('Profiler.start');
  }

  async write(file: string): Promise<void> {
    const { profile } = await this.post('Profiler.stop');
    this.session.disconnect();
    writeFileSync(file, JSON.stringify(profile));
  }

  private post(method: string): Promise<Profiler.StopReturnType> {
    return new Promise((resolve, reject) => {
      this.session.post(method, (error, result) => {
        if (error === null) resolve(result as Profiler.StopReturnType);
        else reject(error);
      });
    });
  }
}
