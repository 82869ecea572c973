# Adds the numbers on stdin, with the C library's scanf and printf (x86-64).
        .globl  main
        .text
main:
        push    %rbx
        sub     $16, %rsp
        xor     %ebx, %ebx
next:
        lea     format(%rip), %rdi
        lea     8(%rsp), %rsi
        xor     %eax, %eax
        call    scanf@PLT
        cmp     $1, %eax
        jne     done
        add     8(%rsp), %rbx
        jmp     next
done:
        lea     answer(%rip), %rdi
        mov     %rbx, %rsi
        call    show
        add     $16, %rsp
        xor     %eax, %eax
        pop     %rbx
        ret
        .section .rodata
format: .string "%ld"
answer: .string "sum %ld\n"
        .section .note.GNU-stack,"",@progbits
