! Solves linear equations: n, then n rows of coefficients and right-hand side.
program main
  use linear
  implicit none
  integer :: n, i
  real(8), allocatable :: a(:, :), b(:)
  read *, n
  allocate (a(n, n), b(n))
  do i = 1, n
    read *, a(i, :), b(i)
  end do
  call solve(a, b)
  print '(*(f8.3))', b
end program
