import { MeshError } from '../base/errors.js';

export interface PaymentChoice {
  /** Default `erc20`. */
  readonly driver?: string | undefined;
  /** Default `YAGNA_PAYMENT_NETWORK`, else `holesky`. */
  readonly network?: string | undefined;
}

export interface PaymentPlatform {
  readonly driver: string;
  readonly network: string;
  /** `erc20-holesky-tglm` */
  readonly name: string;
}

const mainNetworks = ['mainnet', 'polygon'];

/** The payment platform by its driver and network; the token follows from the network: `glm` on a main one, else `tglm`. */
export function paymentPlatform({ driver = 'erc20', network }: PaymentChoice): PaymentPlatform {
  const chosen = (network ?? process.env.YAGNA_PAYMENT_NETWORK ?? 'holesky').toLowerCase();
  for (const [what, value] of Object.entries({ driver, network: chosen })) {
    if (!/^[a-z0-9_]+$/i.test(value)) {
      throw new MeshError(
        'invalid-argument',
        `The payment ${what} is ${JSON.stringify(value)}; expected a name such as erc20 or holesky`,
      );
    }
  }
  const token = mainNetworks.includes(chosen) ? 'glm' : 'tglm';
  return { driver, network: chosen, name: `${driver}-${chosen}-${token}` };
}
