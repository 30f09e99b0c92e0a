# Figures of R's survey package on the survey of survey_design.py (written as CSV by the test) and on the package's own
# example data: name=value lines. Usage: Rscript survey_golden.R CSV
suppressMessages(library(survey))
options(digits = 15, survey.lonely.psu = "fail")
out <- function(name, value) cat(sprintf("%s=%.12g\n", name, as.numeric(value)))
both <- function(name, found) { out(name, coef(found)); out(paste0(name, ".se"), SE(found)) }

data <- read.csv(commandArgs(trailingOnly = TRUE)[1], stringsAsFactors = TRUE)
one <- svydesign(id = ~cluster, strata = ~stratum, weights = ~weight, fpc = ~in_stratum, data = data)
two <- svydesign(id = ~cluster + person, strata = ~stratum, fpc = ~in_stratum + in_cluster, data = data)
loose <- svydesign(id = ~cluster, strata = ~stratum, weights = ~weight, data = data)
even <- svydesign(id = ~cluster, strata = ~stratum, weights = ~one, data = transform(data, one = 25))
# all, the old and the young beside those of middle age, men beside women
people <- c("(Intercept)" = 3000, ageold = 600, ageyoung = 900, sexm = 1400)
for (name in c("one", "two", "loose", "even")) {
  design <- get(name)
  mean_of <- svymean(~score, design, deff = TRUE)
  both(paste0(name, ".mean"), mean_of)
  out(paste0(name, ".deff"), deff(mean_of))
  both(paste0(name, ".total"), svytotal(~score, design))
  both(paste0(name, ".ratio"), svyratio(~good, ~asked, design))
  raked <- rake(design, list(~age, ~sex),
                list(data.frame(age = c("young", "middle", "old"), Freq = c(900, 1500, 600)),
                     data.frame(sex = c("f", "m"), Freq = c(1600, 1400))),
                control = list(epsilon = 1e-10, maxit = 500))
  out(paste0(name, ".raked.weight"), max(weights(raked)))
  out(paste0(name, ".raked.mean.rake"), coef(svymean(~score, raked)))
  # rake() projects residuals without weights; calibrate() by the base weights
  if (name == "even") both(paste0(name, ".raked.share.rake"), svymean(~satisfied, raked))
  calibrated <- calibrate(design, ~age + sex, people, calfun = "raking",
                          epsilon = 1e-12, maxit = 500)
  both(paste0(name, ".raked.mean"), svymean(~score, calibrated))
  both(paste0(name, ".raked.share"), svymean(~satisfied, calibrated))
  both(paste0(name, ".raked.total"), svytotal(~score, calibrated))
  both(paste0(name, ".raked.ratio"), svyratio(~good, ~asked, calibrated))
  out(paste0(name, ".degf"), degf(design))
}
