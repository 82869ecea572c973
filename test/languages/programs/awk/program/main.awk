# Sums hours by person and project.
BEGIN { FS = ","; OFS = "\t" }
NR == 1 { next }
{ hours[$1, $2] += $3; people[$1] = 1; total += $3 }
END {
  for (key in hours) {
    split(key, part, SUBSEP)
    print part[1], part[2], sprintf("%.1f", hours[key]) | "sort"
  }
  close("sort")
  print "total", total, length(people)
}
