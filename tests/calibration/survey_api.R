# R's survey package on its own data sets apistrat, apiclus1, apiclus2: the columns used as CSV files in the folder given,
# and its figures as name=value lines. Usage: Rscript survey_api.R FOLDER
suppressMessages(library(survey))
options(digits = 15)
data(api)
folder <- commandArgs(trailingOnly = TRUE)[1]
out <- function(name, value) cat(sprintf("%s=%.12g\n", name, as.numeric(value)))
both <- function(name, found) { out(name, coef(found)); out(paste0(name, ".se"), SE(found)) }
for (name in c("apistrat", "apiclus1", "apiclus2")) {
  data <- get(name)
  data$wide <- as.numeric(data$sch.wide == "Yes")
  if (name == "apistrat") { data$f1 <- data$fpc; data$f2 <- 0; data$c1 <- seq_len(nrow(data)); data$c2 <- 0; data$s <- data$stype
    design <- svydesign(id = ~1, strata = ~stype, weights = ~pw, fpc = ~fpc, data = data) }
  if (name == "apiclus1") { data$f1 <- data$fpc; data$f2 <- 0; data$c1 <- data$dnum; data$c2 <- 0; data$s <- "all"
    design <- svydesign(id = ~dnum, weights = ~pw, fpc = ~fpc, data = data) }
  if (name == "apiclus2") { data$f1 <- data$fpc1; data$f2 <- data$fpc2; data$c1 <- data$dnum; data$c2 <- data$snum; data$s <- "all"
    design <- svydesign(id = ~dnum + snum, fpc = ~fpc1 + fpc2, data = data) }
  data$w <- weights(design)
  write.csv(data[, c("s", "c1", "c2", "f1", "f2", "w", "api00", "wide", "enroll", "api.stu", "stype")],
            file.path(folder, paste0(name, ".csv")), row.names = FALSE, na = "")
  found <- svymean(~api00, design, deff = TRUE)
  both(paste0(name, ".mean"), found)
  out(paste0(name, ".deff"), deff(found))
  both(paste0(name, ".share"), svymean(~wide, design))
  both(paste0(name, ".ratio"), svyratio(~api.stu, ~enroll, subset(design, !is.na(enroll) & !is.na(api.stu))))
  both(paste0(name, ".total"), svytotal(~api00, design))
  raked <- rake(design, list(~stype, ~sch.wide),
                list(data.frame(stype = c("E", "H", "M"), Freq = c(4421, 755, 1018)),
                     data.frame(sch.wide = c("No", "Yes"), Freq = c(1072, 5122))),
                control = list(epsilon = 1e-10, maxit = 500))
  out(paste0(name, ".raked.weight"), max(weights(raked)) / sum(weights(raked)))
  if (name == "apiclus1") both(paste0(name, ".raked.rake"), svymean(~api00, raked))
  calibrated <- calibrate(design, ~stype + sch.wide, c("(Intercept)" = 6194, stypeH = 755, stypeM = 1018, sch.wideYes = 5122),
                          calfun = "raking", epsilon = 1e-12, maxit = 500)
  both(paste0(name, ".raked"), svymean(~api00, calibrated))
}
