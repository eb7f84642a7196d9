/** The other end broke the rules of HTTP/2, and the connection with it. `code` is what it is told: see `errorCodes`. */
export class ProtocolError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}
