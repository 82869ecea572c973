module linear
  implicit none
contains
  subroutine solve(a, b)
    real(8), intent(inout) :: a(:, :), b(:)
    integer :: k, i, p, n
    n = size(b)
    do k = 1, n
      p = k - 1 + maxloc(abs(a(k:, k)), dim=1)
      if (p /= k) then
        a([k, p], :) = a([p, k], :)
        b([k, p]) = b([p, k])
      end if
      do i = k + 1, n
        b(i) = b(i) - a(i, k) / a(k, k) * b(k)
        a(i, k:) = a(i, k:) - a(i, k) / a(k, k) * a(k, k:)
      end do
    end do
    do k = n, 1, -1
      b(k) = (b(k) - dot_product(a(k, k + 1:), b(k + 1:))) / a(k, k)
    end do
  end subroutine
end module
