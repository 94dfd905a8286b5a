import { randomInt } from "node:crypto";

const ADJECTIVES =
  "able amber ample apt bold brave breezy brisk calm candid cheery civil clear clever cosy crisp daring deft eager early earnest easy even fabled fair fleet fond frank fresh gentle glad golden grand hale handy hardy hearty honest humble jolly jovial keen kind lively loyal lucid lucky mellow merry mighty mild modest neat nimble noble patient placid plucky polite prompt proud quick quiet rapid ready robust rosy sage sane serene sharp shrewd silent silver sleek snug sober solid sound spry stable staunch steady stout sturdy subtle sunny sure swift tender thrifty tidy tranquil true trusty upright valiant vivid warm wary wise witty zesty".split(
    " ",
  );

/** People of science, of the sea and of its harbours. */
const SURNAMES =
  "abel agnesi ampere amundsen anning archimedes avogadro babbage banneker barents bell bernoulli bessel bohr boole bose boyle brahe cabot carson cartier cauchy celsius chatelet clarke cook copernicus coulomb cousteau curie dalton darwin davy dijkstra dirac drake earhart edison einstein ericson euclid euler faraday fermat fermi feynman fibonacci fleming foucault fourier franklin fresnel gagarin galileo galois gauss germain goodall hahn halley hamilton harvey heisenberg herschel hertz hilbert hipparchus hooke hopper hubble humboldt huygens hypatia jacquard joule kepler khayyam kirchhoff kovalevskaya lagrange laplace lavoisier leibniz linnaeus lovelace magellan maxwell meitner mendel mercator mirzakhani nansen napier newton noether ohm oersted pascal pasteur pauling planck poisson polo ptolemy ramanujan raman riemann rutherford sagan shannon somerville tereshkova tesla turing vauban verne vesalius volta wallis watt wegener wien wren yonath".split(
    " ",
  );

/** How often a name that is taken is tried again, from the second time on with a digit. Docker: 6. */
const TRIES = 6;

export type Random = (below: number) => number;

/**
 * A free name, `adjective_surname`; after six that were taken, `fallback`.
 *
 * @param random a whole number from 0 up to, without, its argument
 */
export function generateName(
  isTaken: (name: string) => boolean,
  fallback: string,
  random: Random = (below) => randomInt(below),
): string {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const digit = attempt === 0 ? "" : String(random(10));
    const name = `${ADJECTIVES[random(ADJECTIVES.length)]}_${SURNAMES[random(SURNAMES.length)]}${digit}`;
    if (!isTaken(name)) return name;
  }
  return fallback;
}
