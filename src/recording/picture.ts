import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Resvg } from '@resvg/resvg-js';
import { type LoggerInterface, parse, type Spec, View } from 'vega';

/** A Vega specification as a PNG. The font comes along: without a font file all text would be missing. */
export async function picture(spec: Spec): Promise<Buffer> {
  const view = new View(parse(spec), { renderer: 'none', logger: strictLogger() });
  try {
    const svg = await view.toSVG();
    const fonts = join(dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json')), 'ttf');
    const drawing = new Resvg(svg, {
      font: {
        loadSystemFonts: false,
        fontFiles: [join(fonts, 'DejaVuSans.ttf'), join(fonts, 'DejaVuSans-Bold.ttf')],
        defaultFontFamily: 'DejaVu Sans',
      },
    });
    return drawing.render().asPng();
  } finally {
    view.finalize();
  }
}

/** Vega logs what goes wrong and goes on with half a picture; this makes it fail. */
function strictLogger(): LoggerInterface {
  const logger: LoggerInterface = {
    level: ((value?: number) => (value === undefined ? 0 : logger)) as LoggerInterface['level'],
    error: (...reasons) => {
      throw reasons[0];
    },
    warn: () => logger,
    info: () => logger,
    debug: () => logger,
  };
  return logger;
}
