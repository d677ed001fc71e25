/** Takes the place of modules that packages require and the operator never uses. */
module.exports = () => {
  throw new Error('this part of a package is not in this bundle');
};
