by_group <- function(data) {
  means <- aggregate(cbind(height, weight) ~ group, data, mean)
  means[order(-means$height), ]
}
